"""The runs of a journal: which there are, what they paid for, what of that is in doubt, and deciding it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from flowdsl.errors import UsageError
from flowdsl.journal.database import Database
from flowdsl.journal.doubt import AT_VENDOR, CAME, CAUGHT, HELD, IN_DOUBT, LOST, OPEN, ORDERED, RELEASED
from flowdsl.journal.place import VARIABLE
from flowdsl.journal.running import Running

OF_GATEWAY = "<request>"
"""The flow of a request to a gateway, whose client goes on with it and nobody else."""
OVER = ("done", "dropped")
"""How a run stands that is not to be resumed."""
_HOLD = f"UPDATE ledger SET {HELD} WHERE run = ? AND {RELEASED}"
_SUMS = f"""
    SELECT runs.*,
        (SELECT count(*) FROM ledger WHERE run = runs.id AND state = 'ok') AS paid,
        (SELECT coalesce(sum(images), 0) FROM ledger WHERE run = runs.id) AS images,
        (SELECT sum(cost_usd) FROM ledger WHERE run = runs.id) AS cost_usd,
        (SELECT count(*) FROM ledger WHERE run = runs.id AND {CAME} AND cost_usd IS NULL) AS unpriced,
        (SELECT count(*) FROM ledger WHERE run = runs.id AND {IN_DOUBT}) AS in_doubt,
        (SELECT count(*) FROM ledger WHERE run = runs.id AND {AT_VENDOR}) AS at_vendor,
        (SELECT count(*) FROM ledger WHERE run = runs.id AND {CAUGHT}) AS caught
    FROM runs
"""
_BEGIN_SO = """
    SELECT id, kind FROM (
        SELECT id, began, 'batches' AS kind FROM batches
        UNION ALL SELECT id, began, 'runs' FROM runs WHERE batch IS NULL
    ) WHERE substr(id, 1, length(:begin)) = :begin ORDER BY began DESC LIMIT 5
"""
_STANDING = f"{AT_VENDOR} AS is_at_vendor, {LOST} AS is_lost, {ORDERED} AS is_ordered"
_REPEATED = """
    SELECT count(*) AS number, coalesce(sum(mine.cost_usd), 0.0) AS usd FROM ledger AS mine
    WHERE mine.run = ? AND mine.state = 'ok' AND EXISTS (
        SELECT 1 FROM ledger AS other WHERE other.digest = mine.digest AND other.number = mine.number
        AND other.state = 'ok'
        AND other.result IS NOT NULL AND other.simulated = mine.simulated
        AND (other.began, other.id) < (mine.began, mine.id)
"""


class KeptRun(NamedTuple):
    """A run as the journal has it. `status` is `running`, `killed`, `done`, `failed`, `cancelled` or `dropped`; `paid`
    counts its requests that brought something, `cost_usd` is what they cost (None: a part is not known), `in_doubt`
    counts those of which nobody knows what became of them, `at_vendor` those that a vendor's batch has,
    `caught` those in doubt that the flow caught, and went on without.
    Times are Unix times in seconds."""

    id: str
    flow: str
    flow_sha256: str
    title: str | None
    action: str | None
    status: str
    error: dict[str, Any] | None
    given: dict[str, Any]
    as_of: str
    simulated: bool
    batch: str | None
    record: int | None
    tags: dict[str, str]
    began: float
    ended: float | None
    paid: int
    images: int
    cost_usd: float | None
    in_doubt: int
    at_vendor: int = 0
    caught: int = 0

    @property
    def may_be_resumed(self) -> bool:
        """Whether it ended, and not well."""
        return self.status in ("killed", "failed", "cancelled")

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON values; what it was given stays out, which may be long."""
        return {name: value for name, value in self._asdict().items() if name != "given"}


class Request(NamedTuple):
    """A paid request as the ledger has it. `state` is `ok`, `refused`, `unknown`, `started` (no response was seen) or
    `released`; it `blocks` while nobody has decided what became of it, unless it `is_at_vendor`, in a batch or, where
    it `is_ordered`, as an order by itself; where it `is_lost` the vendor knew no such batch, and is asked once more
    before that. `pictures`
    are the SHA-256 of what came, and `revised` the prompts as the service rewrote them, None where it did not."""

    id: str
    step: str
    path: str
    place: str
    service: str | None
    vendor: str | None
    model: str | None
    request: Any
    state: str
    blocks: bool
    is_at_vendor: bool
    is_lost: bool
    is_ordered: bool
    images: int
    files: list[str]
    pictures: list[str]
    revised: list[str | None]
    request_id: str | None
    error: str | None
    most_usd: float | None
    cost_usd: float | None
    began: float
    ended: float | None

    @property
    def is_caught(self) -> bool:
        """Whether it is in doubt, and the flow caught that and went on without it."""
        return self._is_passed and self.ended is not None

    @property
    def is_settled(self) -> bool:
        """Whether the journal did not take what came of it, and its record is done by the results of the batch."""
        return self._is_passed and self.ended is None

    @property
    def _is_passed(self) -> bool:
        return self.state == "unknown" and not (self.blocks or self.is_at_vendor)

    def to_dict(self) -> dict[str, Any]:
        """The request as JSON values."""
        return self._asdict()


class Runs:
    """What a journal knows of its runs."""

    def __init__(self, database: Database, running: Running) -> None:
        self._database = database
        self._running = running

    def all(self, *, most: int = -1, batch: str | None = None) -> list[KeptRun]:
        """The runs, the newest first."""
        where, values = ("WHERE batch = ?", [batch]) if batch is not None else ("WHERE batch IS NULL", [])
        rows = self._database.read(f"{_SUMS} {where} ORDER BY began DESC, id DESC LIMIT ?", [*values, most])
        return [self._run(row) for row in rows]

    def find(self, named: str) -> KeptRun:
        """The run of an id, or of its beginning where only one begins so.

        Raises:
            UsageError: there is none, or there are several.
        """
        self.check()
        if not named:
            raise UsageError("the id of the run is empty: `flowdsl runs list` shows those there are")
        pattern = named.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        query = f"{_SUMS} WHERE id LIKE ? ESCAPE '\\' ORDER BY id = ? DESC, began DESC LIMIT 3"
        rows = self._database.read(query, (f"{pattern}%", named))
        if not rows or rows[0]["id"] != named:
            several = self._database.read(_BEGIN_SO, {"begin": named})
            if len(several) < 2 and not rows:
                raise UsageError(
                    f"the journal {self._database.path} has no run {named}: `flowdsl runs list` shows those it has"
                )
            kinds = {row["kind"] for row in several} if len(several) > 1 else {"runs"}
            several = several if len(several) > 1 else rows
            if len(several) > 1:
                what = " and ".join(sorted(kinds, reverse=True))
                raise UsageError(f"several {what} begin with {named}: {', '.join(row['id'] for row in several)}")
        return self._run(rows[0])

    def named(self, id: str) -> list[KeptRun]:
        """The run of an id, in a list that is empty where there is none."""
        return [self._run(row) for row in self._database.read(f"{_SUMS} WHERE id = ?", (id,))]

    def check(self) -> None:
        """Raises UsageError where there is no journal yet."""
        if not self._database.exists:
            raise UsageError(
                f"there is no journal in {self._database.folder}: no run has paid for anything there; "
                f"it lies beside flowdsl.toml, else in the folder where a run began, or where {VARIABLE} says"
            )

    def unfinished(self, flow: str | None = None, *, simulated: bool | None = None) -> KeptRun | None:
        """The last run, of a flow's file when one is named, that can be resumed."""
        wheres = ["status NOT IN ('done', 'dropped')", "batch IS NULL", "flow != ?"]
        values: list[str | bool] = [OF_GATEWAY]
        for column, value in (("flow", flow), ("simulated", simulated)):
            if value is not None:
                wheres.append(f"{column} = ?")
                values.append(value)
        query = f"{_SUMS} WHERE {' AND '.join(wheres)} ORDER BY began DESC LIMIT 20"
        found = (self._run(row) for row in self._database.read(query, values))
        return next((run for run in found if run.may_be_resumed), None)

    def last(self, flow: str, action: str | None, *, simulated: bool) -> KeptRun | None:
        """The last run of a flow's file that was not given up."""
        where = "flow = ? AND action IS ? AND simulated = ? AND batch IS NULL AND status != 'dropped'"
        rows = self._database.read(f"{_SUMS} WHERE {where} ORDER BY began DESC LIMIT 1", (flow, action, simulated))
        return self._run(rows[0]) if rows else None

    def repeated(self, run: str) -> dict[str, tuple[int, float]]:
        """How many paid requests of a run asked for the same as one before, and what they cost: one of the `run`, and
        one of the whole `project`."""
        found = {}
        for cache, where in (("run", "AND other.run = mine.run"), ("project", "")):
            row = self._database.read(f"{_REPEATED} {where})", (run,))[0]
            found[cache] = row["number"], row["usd"]
        return found

    def requests(self, run: str) -> list[Request]:
        """The paid requests of a run, in the order in which they began."""
        query = f"SELECT *, {_STANDING} FROM ledger WHERE run = ? ORDER BY began, place, number"
        rows = self._database.read(query, (run,))
        names = self._database.read("SELECT original, file FROM names WHERE run = ?", (run,))
        return [_request(row, {each["original"]: each["file"] for each in names}) for row in rows]

    def of_picture(self, digests: Iterable[str]) -> Iterator[tuple[KeptRun, Request]]:
        """The requests that brought a picture with one of these SHA-256 of its bytes, each with its run, the first of
        them first."""
        query = "SELECT DISTINCT run FROM ledger WHERE state = 'ok' AND instr(result, ?) ORDER BY run"
        for digest in digests:
            for row in self._database.read(query, (digest,)):
                brought = [each for each in self.requests(row["run"]) if digest in each.pictures]
                yield from ((self.find(row["run"]), each) for each in brought)

    def places(self, run: str) -> list[tuple[str, bool]]:
        """Where a run did something that is kept, by the key of the invocation, and whether it failed there."""
        rows = self._database.read("SELECT place, state FROM journal WHERE run = ?", (run,))
        return [(row["place"], row["state"] != "ok") for row in rows]

    def reused(self, run: KeptRun, own: Container[str]) -> frozenset[str]:
        """Where a run that began at a step took a result of the one before it, which is where it did nothing of its
        `own`; by the keys of invocations."""
        from flowdsl.journal.earlier import reused

        return reused(self._database, run.given, run.error, own)

    def of_batch(self, batch: str) -> Iterator[tuple[str, int, Request]]:
        """The paid requests of all runs of a batch, each with its run and its record, record by record."""
        query = f"""SELECT ledger.*, {_STANDING}, runs.record AS record
            FROM ledger JOIN runs ON runs.id = ledger.run
            WHERE runs.batch = ? ORDER BY runs.record, ledger.began, ledger.place, ledger.number"""
        names: dict[str, dict[str, str]] = {}
        for each in self._database.read(
            "SELECT run, original, file FROM names WHERE run IN (SELECT id FROM runs WHERE batch = ?)", (batch,)
        ):
            names.setdefault(each["run"], {})[each["original"]] = each["file"]
        for row in self._database.read(query, (batch,)):
            yield row["run"], row["record"], _request(row, names.get(row["run"], {}))

    def release(self, run: str, requests: Sequence[str] = ()) -> int:
        """Lets requests in doubt be sent again, all of a run or those of the ids; gives how many they are. One that is
        named may also be one that a vendor's batch has, that the flow caught, or that brought something, such as a
        picture that is gone.

        Raises:
            UsageError: the run goes on, or has no such request in doubt.
            JournalError: the journal cannot be written.
        """
        which = f"({OPEN} OR state IN ('ok', 'unknown'))" if requests else IN_DOUBT
        return self._decide(run, f"UPDATE ledger SET state = 'released' WHERE run = ? AND {which}", requests)

    def hold(self, run: str, requests: Sequence[str] = ()) -> int:
        """Takes that back, of what was not sent again."""
        return self._decide(run, _HOLD, requests)

    def drop(self, run: str) -> None:
        """Gives a run up: it is not resumed any more.

        Raises:
            UsageError: it goes on.
        """
        self._decide(run, "UPDATE runs SET status = 'dropped' WHERE id = ? AND status != 'done'", ())

    def collect(self, before: float) -> int:
        """Removes what runs that are over kept for a resume, of those that began before a time; what they paid for and
        what it cost stays. Gives how many they were, and the room to the disk.

        Raises:
            JournalError: the journal cannot be written.
        """

        def collected(db: sqlite3.Connection) -> int:
            base = "json_extract(given, '$.from.run')"  # what a run that is not over takes from another stays there
            needed = f"SELECT {base} FROM runs WHERE status NOT IN {OVER} AND {base} IS NOT NULL"
            going_on = (
                f"SELECT id FROM batches WHERE status NOT IN {OVER}"  # it may lack the line of a record in its file
            )
            over = f"""SELECT id FROM runs WHERE status IN {OVER} AND began < ? AND id NOT IN ({needed})
                AND (batch IS NULL OR batch NOT IN ({going_on}))"""
            count: int = db.execute(f"SELECT count(*) FROM ({over})", (before,)).fetchone()[0]
            for table in ("journal", "names"):
                db.execute(f"DELETE FROM {table} WHERE run IN ({over})", (before,))
            both = f"{over} UNION SELECT id FROM batches WHERE status IN {OVER} AND began < ?"
            for table in ("vendor_batches", "vendor_batch_items"):
                db.execute(f"DELETE FROM {table} WHERE batch IN ({both})", (before, before))
            db.execute(f"UPDATE ledger SET result = NULL WHERE run IN ({over}) AND result IS NOT NULL", (before,))
            return count

        if not self._database.exists:
            return 0
        count = self._database.submit(collected).result()
        self._database.vacuum()
        self._running.sweep()
        return count

    def _decide(self, run: str, update: str, requests: Sequence[str]) -> int:
        batch = self._database.read("SELECT batch FROM runs WHERE id = ? AND batch IS NOT NULL", (run,))
        if any(map(self._running.goes_on, (run, *(row["batch"] for row in batch)))):
            raise UsageError(f"the run {run} goes on: wait until it has ended, or end it with Ctrl-C")
        if not requests:
            return self._database.submit(lambda db: db.execute(update, (run,)).rowcount).result()

        def decided(db: sqlite3.Connection) -> int:
            found = {each: db.execute(f"{update} AND hex(id) LIKE ?", (run, f"{each}%")).rowcount for each in requests}
            if missing := [each for each, number in found.items() if not number]:
                raise UsageError(
                    f"the run {run} has no request {missing[0]} of which that can be decided: `flowdsl runs show "
                    f"{run}` shows those it has"
                )
            return sum(found.values())

        return self._database.submit(decided).result()

    def _run(self, row: sqlite3.Row) -> KeptRun:
        status = row["status"]
        if status != "done" and self._running.goes_on(row["id"]):
            status = "running"  # one that is resumed pays later, if at all, and writes nothing before
        elif status == "running":
            status = "killed"
        found = {name: row[name] for name in KeptRun._fields}
        error = None if row["error"] is None else json.loads(row["error"])
        cost = None if row["unpriced"] or (row["cost_usd"] is None and row["paid"]) else row["cost_usd"] or 0.0
        found |= {"status": status, "error": error, "cost_usd": cost, "simulated": bool(row["simulated"])}
        return KeptRun(**{**found, "given": json.loads(row["given"]), "tags": json.loads(row["tags"])})


def _request(row: sqlite3.Row, names: dict[str, str]) -> Request:
    result = json.loads(row["result"]) if row["result"] else None
    kept = list(kept_pictures(result)) if row["state"] == "ok" else []
    own = ("files", "pictures", "revised", "request_id", "blocks", "is_at_vendor", "is_lost", "is_ordered", "error")
    found = {name: row[name] for name in Request._fields if name not in own}
    is_open = row["state"] == "started" or (row["state"] == "unknown" and bool(row["is_final"]))
    failed = row["state"] in ("refused", "unknown")
    return Request(
        **{**found, "id": row["id"].hex(), "request": json.loads(row["request"] or "null")},
        blocks=is_open and not row["is_at_vendor"],
        is_at_vendor=bool(row["is_at_vendor"]),
        is_lost=bool(row["is_lost"]),
        is_ordered=bool(row["is_ordered"]),
        files=[names.get(image["path"], image["path"]) for image, _ in kept],
        pictures=[image["sha256"] for image, _ in kept],
        revised=[prompt for _, prompt in kept],
        request_id=request_id_of(result),
        error=_fact(result, "message") if failed else None,
    )


def request_id_of(result: Any) -> str | None:
    """The vendor's name for a request, by its kept result or error."""
    return _fact(result, "requestId") or _fact(result, "request_id")


def _fact(result: Any, name: str) -> str | None:
    """A fact of a kept result, or of a kept error."""
    for facts in (result, result.get("facts")) if isinstance(result, dict) else ():
        if isinstance(facts, dict) and facts.get(name) is not None:
            return str(facts[name])
    return None


def kept_pictures(kept: Any) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The pictures in a kept result, and what the service made of the prompt of each."""
    if isinstance(kept, dict):
        image = kept.get("$image")
        if isinstance(image, dict):
            revised = kept.get("revised_prompt")
            yield image, revised if isinstance(revised, str) and revised else None
        for value in kept.values():
            yield from kept_pictures(value)
    elif isinstance(kept, list):
        for value in kept:
            yield from kept_pictures(value)


def ago(seconds: float) -> float:
    """The time that so many seconds ago was."""
    return time.time() - seconds
