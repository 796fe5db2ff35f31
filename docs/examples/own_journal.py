"""A journal of a host: what its runs have bought stands in tables of the host's own database."""

import hashlib
import json
import pickle
import sqlite3
from collections import Counter, defaultdict, namedtuple
from datetime import date

import flowdsl

TABLES = """
CREATE TABLE IF NOT EXISTS runs (id PRIMARY KEY, day);
CREATE TABLE IF NOT EXISTS effects (run, kind, place, number, asked, state, usd, content,
    PRIMARY KEY (run, place, number, asked));
CREATE TABLE IF NOT EXISTS files (run, original, file, is_listed, PRIMARY KEY (run, original, file));
"""
Row = namedtuple("Row", "run kind place number asked state usd content")
FREE = ("http", "file", "random", "sleep")
"""What costs nothing is kept when it is over, so that a run that goes on takes the same way."""


class OwnJournal:
    """Keeps runs in a database. One that was there before goes on when it is `resuming`, or the record of a batch."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)  # each statement is a commit
        self.db.executescript(TABLES)
        self.resumed = set()

    def close(self):
        self.db.close()

    def resuming(self, run):
        self.resumed.add(run)
        return self

    def door(self, began, inner):
        day = self.db.execute("SELECT day FROM runs WHERE id = ?", [began.run]).fetchone()
        if day and began.batch is None and began.run not in self.resumed:
            raise flowdsl.UsageError(f"the run {began.run} was there before")
        if not day:
            day = [began.as_of.isoformat()]
            self.db.execute("INSERT INTO runs VALUES (?, ?)", [began.run, *day])
        return Door(self.db, began.run, date.fromisoformat(day[0]), inner)


class Door:
    """Stands between one run and what it pays for."""

    budget = pace = None  # runs share no money, and each asks its services as fast as it may

    def __init__(self, db, run, as_of, inner):
        self.db, self.run, self.as_of, self.inner = db, run, as_of, inner
        rows = db.execute("SELECT * FROM effects WHERE run = ? ORDER BY number, rowid", [run])
        self.rows = [Row(*values) for values in rows]
        self.paid = [row.usd or 0 for row in self.rows if row.kind == "image" and row.state != "refused"]
        self.numbers = Counter((row.place, row.asked) for row in self.rows)
        self.failed_before, self.failed = defaultdict(list), []

    def spent(self):
        return len(self.paid), sum(self.paid)

    def take(self, effect):
        """What is kept of an equal effect, each once: of its own place in the flow, else of any."""
        equal = [row for row in self.rows if row.asked == digest(effect)]
        equal.sort(key=lambda row: row.place != effect.invocation.key)
        if equal:
            self.rows.remove(equal[0])
            return equal[0]
        return None

    def before(self, effect):
        row = self.take(effect)
        if row is None:
            return None
        if row.state == "begun":
            error = flowdsl.LimitExceeded("nobody knows what became of this request", code="request-held")
            error.charge_possible = True
            raise error
        if row.state != "ok":  # it failed, and the flow went on: it fails again when it is its turn
            self.failed_before[effect.invocation.key, row.asked].append(row)
            return None
        result, files = pickle.loads(row.content), {}
        for image in result["images"]:
            effect.store.adopt(image)
            named = "SELECT file FROM files WHERE run = ? AND original = ?"
            files[image.original] = [file for (file,) in self.db.execute(named, [self.run, image.original])]
        listed = self.db.execute("SELECT file FROM files WHERE run = ? AND is_listed", [self.run])
        return flowdsl.Recovered(result, row.usd, files, frozenset(file for (file,) in listed))

    async def perform(self, effect, act):
        if effect.key == "image":
            before = self.failed_before[effect.invocation.key, digest(effect)]
            row = before.pop(0) if before else None
        else:
            row = self.take(effect) if effect.key in FREE else None
        if row is not None:
            return said(row)
        number = self.write(effect, "begun") if effect.key == "image" else None  # before it is sent
        try:
            result = await (act() if self.inner is None else self.inner.perform(effect, act))
        except flowdsl.RunError as error:
            if effect.key == "image":
                may_cost = error.charge_possible or not isinstance(error, flowdsl.ConfigError | flowdsl.ServiceError)
                text = pickle.dumps((effect.hide(error.message), error.code))
                self.write(effect, "unknown" if may_cost else "refused", text, number=number)
                self.failed.append((error, effect.invocation.key, digest(effect), number))
            raise
        return self.keep(effect, result, number)

    def perform_now(self, effect, act):
        row = self.take(effect) if effect.key in FREE else None
        if row is not None:
            return said(row)
        return self.keep(effect, act() if self.inner is None else self.inner.perform_now(effect, act))

    def keep(self, effect, result, number=None):
        if effect.key == "image":
            for image in result["images"]:
                image.hide(effect.hide)
            usd = None if result["chargedBefore"] else result.get("usd")
            self.write(effect, "ok", pickle.dumps(effect.hide(result)), usd, number)
        elif effect.key in FREE:
            self.write(effect, "ok", pickle.dumps(effect.hide(result)))
        return result

    def write(self, effect, state, content=None, usd=None, number=None):
        """Writes how it is with an effect; gives the number that tells it from equal ones of its place."""
        place, asked = effect.invocation.key, digest(effect)
        verb = "INSERT" if number is None else "REPLACE"  # a second process that begins the same is refused
        if number is None:
            number = self.numbers[place, asked]
            self.numbers[place, asked] += 1
        if state in ("begun", "unknown"):
            usd = effect.most_usd
        values = [self.run, effect.key, place, number, asked, state, usd, content]
        self.db.execute(f"{verb} INTO effects VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        return number

    def named(self, original, file):
        self.db.execute("INSERT OR IGNORE INTO files VALUES (?, ?, ?, 0)", [self.run, original, file])

    def listed(self):
        self.db.execute("UPDATE files SET is_listed = 1 WHERE run = ?", [self.run])

    def end(self, status, error):
        """What the run failed of is asked for again when it goes on; where it may be billed, it is in doubt."""
        for failed, *at in self.failed:
            if failed in causes(error):
                where = "run = ? AND place = ? AND asked = ? AND number = ?"
                self.db.execute(
                    f"UPDATE effects SET state = 'begun' WHERE {where} AND state = 'unknown'", [self.run, *at]
                )
                self.db.execute(f"DELETE FROM effects WHERE {where} AND state = 'refused'", [self.run, *at])

    async def ended(self):
        """It is written already."""


def said(row):
    if row.state == "ok":
        return pickle.loads(row.content)
    message, code = pickle.loads(row.content)
    raise flowdsl.StepError(message, code=code)


def digest(effect):
    """What is equal for equal requests: where they are sent is no part of it."""
    request = effect.request
    if effect.key == "image":
        request = {name: value for name, value in request.items() if name != "url"}
    return hashlib.sha256(json.dumps([effect.key, request], sort_keys=True, default=repr).encode()).hexdigest()


def causes(error):
    """An error, and those that stand behind it."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
