"""The batches of a journal: many runs of one flow, one for each record."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Container, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.errors import UsageError
from flowdsl.journal.database import Database
from flowdsl.journal.doubt import AT_VENDOR, CAME, CAUGHT, HELD, IN_DOUBT, LOST, RELEASED
from flowdsl.journal.errors import JournalError
from flowdsl.journal.rows import json_text
from flowdsl.journal.running import Running

if TYPE_CHECKING:
    from flowdsl.journal.runs import KeptRun

_RUN_SO = "SELECT 1 FROM runs WHERE batch IS NULL AND substr(id, 1, length(:begin)) = :begin LIMIT 1"
_OF_RUNS = "FROM ledger JOIN runs ON runs.id = ledger.run WHERE runs.batch = ?"
_ITS = "run IN (SELECT id FROM runs WHERE batch = ?)"
_RELEASE = f"UPDATE ledger SET state = 'released' WHERE {_ITS} AND {IN_DOUBT}"
_HOLD = f"UPDATE ledger SET {HELD} WHERE {_ITS} AND {RELEASED}"

_UNSETTLED = """SELECT id, record FROM runs WHERE batch = ? AND (status = 'running'
    OR EXISTS (SELECT 1 FROM ledger WHERE ledger.run = runs.id AND ledger.state = 'started'))"""


class KeptBatch(NamedTuple):
    """A batch as the journal has it. `status` is `running`, `killed`, `stopped`, `done` or `dropped`; `given` says how
    to go on with it, `folder` is where its results are. Times are Unix times in seconds."""

    id: str
    flow: str
    given: dict[str, Any]
    folder: str
    simulated: bool
    status: str
    began: float
    ended: float | None

    @property
    def may_be_resumed(self) -> bool:
        """Whether it ended before all of its records."""
        return self.status in ("killed", "stopped")

    def to_dict(self) -> dict[str, Any]:
        """The batch as JSON values."""
        return {name: value for name, value in self._asdict().items() if name != "given"}


class Batches:
    """What a journal knows of its batches."""

    def __init__(self, database: Database, running: Running) -> None:
        self._database = database
        self._running = running

    def begin(self, id: str, flow: str, given: dict[str, Any], folder: str, *, simulated: bool) -> None:
        """Writes down that a batch begins.

        Raises:
            JournalError: the journal cannot be written.
        """
        values = (id, flow, json_text(given, str), folder, simulated, time.time())
        columns = "(status, id, flow, given, folder, simulated, began)"
        insert = f"INSERT INTO batches {columns} VALUES ('running',?,?,?,?,?,?)"
        self._database.submit(lambda db: db.execute(insert, values) and None).result()

    def go_on(self, id: str, *, resend: bool = False) -> None:
        """The same of one that goes on; `resend` lets its requests in doubt be sent again."""
        if resend:
            self._change(id, _RELEASE)
        self._set(id, "running", None)

    def settle(self, id: str, done: Container[int]) -> None:
        """Writes down of records which are `done` that they are, where their results alone say so: the journal took it
        no more, or the process was killed. What is in doubt of their requests stays so, and is not sent again."""

        def settled(db: sqlite3.Connection) -> None:
            runs = [(row["id"],) for row in db.execute(_UNSETTLED, (id,)).fetchall() if row["record"] in done]
            db.executemany(
                "UPDATE ledger SET state = 'unknown', is_final = 0 WHERE run = ? AND state = 'started'", runs
            )
            update = "UPDATE runs SET status = 'done', ended = coalesce(ended, ?) WHERE id = ?"
            db.executemany(update, [(time.time(), *run) for run in runs])

        self._database.submit(settled).result()

    def end(self, id: str, status: str) -> None:
        """Writes down how a batch ended, `done` or `stopped`: where the journal does not take that, with what is
        written next, as of a run."""
        update, values = "UPDATE batches SET status = ?, ended = ? WHERE id = ?", (status, time.time(), id)
        with suppress(JournalError):
            self._database.owed.submit(
                f"batch {id}",
                lambda db: db.execute(update, values),
                again=lambda db: db.execute(f"{update} AND status = 'running'", values),
                after_files=True,
            ).result()

    def reopen(self, id: str) -> None:
        """Lets a batch that is done be resumed: a request of it is to be sent again."""
        update = "UPDATE batches SET status = 'stopped' WHERE id = ? AND status = 'done'"
        self._database.submit(lambda db: db.execute(update, (id,)) and None).result()

    def drop(self, id: str) -> None:
        """Gives a batch up."""
        if self._running.goes_on(id):
            raise UsageError(f"the batch {id} goes on: wait until it has ended, or end it with Ctrl-C")
        self._set(id, "dropped", time.time())

    def all(self) -> list[KeptBatch]:
        """The batches, the newest first."""
        return [self._batch(row) for row in self._database.read("SELECT * FROM batches ORDER BY began DESC")]

    def find(self, named: str) -> KeptBatch | None:
        """The batch of an id, or of its beginning; None where there is none, or several, or a run that begins so."""
        found = [each for each in self.all() if each.id.startswith(named)]
        if len(found) != 1 or (found[0].id != named and self._database.read(_RUN_SO, {"begin": named})):
            return None
        return found[0]

    def last(self, single: Sequence[KeptRun]) -> KeptBatch | None:
        """The last one, unless the first of the runs, the newest of no batch, began after it."""
        batches = self.all()
        return batches[0] if batches and (not single or batches[0].began > single[0].began) else None

    def unfinished(self) -> KeptBatch | None:
        """The last one that can be resumed."""
        return next((each for each in self.all() if each.may_be_resumed), None)

    def begun(self, id: str) -> set[int]:
        """The records of which something is paid for, or in doubt."""
        rows = self._database.read("SELECT record FROM runs WHERE batch = ?", (id,))
        return {row["record"] for row in rows}

    def held(self, id: str) -> set[int]:
        """The records with a request in doubt."""
        rows = self._database.read(f"SELECT DISTINCT runs.record AS record {_OF_RUNS} AND {IN_DOUBT}", (id,))
        return {row["record"] for row in rows}

    def blocked(self, id: str) -> set[int]:
        """Those of them that are left alone until somebody decides; of the others a vendor is asked once more."""
        where = f"{IN_DOUBT} AND NOT {LOST}"
        return {
            row["record"] for row in self._database.read(f"SELECT runs.record AS record {_OF_RUNS} AND {where}", (id,))
        }

    def caught(self, id: str) -> dict[int, int]:
        """How many requests of each record are in doubt, and were caught by the flow: the record went on without."""
        query = f"SELECT runs.record AS record, count(*) AS number {_OF_RUNS} AND {CAUGHT} GROUP BY 1 ORDER BY 1"
        return {row["record"]: row["number"] for row in self._database.read(query, (id,))}

    def released(self, id: str) -> set[int]:
        """The records of which a request is to be sent again, and was not yet."""
        rows = self._database.read(f"SELECT DISTINCT runs.record AS record {_OF_RUNS} AND {RELEASED}", (id,))
        return {row["record"] for row in rows}

    def at_vendor(self, id: str) -> int:
        """How many requests the vendor's batch has, or is to have."""
        rows = self._database.read(f"SELECT count(*) AS number {_OF_RUNS} AND {AT_VENDOR}", (id,))
        return rows[0]["number"] if rows else 0

    def spent(self, id: str) -> tuple[int, float, bool]:
        """How many requests the batch has sent that were not refused, what they cost in USD, those in doubt at the most
        that they can, and whether that is all of it."""
        sums = f"count(*), sum(iif({CAME}, ledger.cost_usd, ledger.most_usd)), sum({CAME} AND ledger.cost_usd IS NULL)"
        query = f"SELECT {sums} {_OF_RUNS} AND (ledger.state NOT IN ('refused', 'released') OR {CAME})"
        rows = self._database.read(query, (id,))
        requests, usd, unknown = tuple(rows[0]) if rows else (0, 0.0, 0)
        return requests, usd or 0.0, not unknown

    def spent_before(self, id: str, ended: Container[int]) -> float:
        """What of that the outcomes of records do not say when the batch goes on: all of those that have `ended`, and
        of the others what came and is bought anew."""
        usd = f"iif({CAME}, ledger.cost_usd, ledger.most_usd)"
        query = (
            f"SELECT runs.record AS record, ledger.state = 'released' AS is_released, sum({usd}) AS usd {_OF_RUNS} "
            f"AND (ledger.state NOT IN ('refused', 'released') OR {CAME}) GROUP BY 1, 2"
        )
        rows = self._database.read(query, (id,))
        return sum(row["usd"] or 0.0 for row in rows if row["is_released"] or row["record"] in ended)

    def counted(self, id: str) -> tuple[int, float]:
        """How many requests the batch has sent that were not refused, and what they cost at most in USD: for its
        limits, where what was released counts too, which may be billed as well as what is sent in its place."""
        sums = "count(*), sum(coalesce(ledger.cost_usd, ledger.most_usd))"
        rows = self._database.read(f"SELECT {sums} {_OF_RUNS} AND ledger.state != 'refused'", (id,))
        requests, usd = tuple(rows[0]) if rows else (0, 0.0)
        return requests, usd or 0.0

    async def waits(self, run: str) -> bool:
        """Whether the vendor's batch has a request of a run that has ended."""
        await self._database.write(lambda db: None, durable=False, after_files=True)  # how it ended is there then
        return bool(self._database.read(f"SELECT 1 FROM ledger WHERE run = ? AND {AT_VENDOR}", (run,)))

    async def is_in_doubt(self, run: str) -> bool:
        """Whether a run that has ended has a request of which nobody knows what became of it."""
        await self._database.write(lambda db: None, durable=False, after_files=True)  # how it ended is there then
        return bool(self._database.read(f"SELECT 1 FROM ledger WHERE run = ? AND {IN_DOUBT}", (run,)))

    def release(self, id: str) -> int:
        """Lets the requests in doubt be sent again; gives how many they are.

        Raises:
            UsageError: it goes on: they may be under way.
        """
        return self._decide(id, _RELEASE)

    def hold(self, id: str) -> int:
        """Takes that back, of what was not sent again; gives how many they are.

        Raises:
            UsageError: it goes on.
        """
        return self._decide(id, _HOLD)

    def _decide(self, id: str, update: str) -> int:
        if self._running.goes_on(id):
            raise UsageError(f"the batch {id} goes on: wait until it has ended, or end it with Ctrl-C")
        return self._change(id, update)

    def _change(self, id: str, update: str) -> int:
        return self._database.submit(lambda db: db.execute(update, (id,)).rowcount).result()

    def _set(self, id: str, status: str, ended: float | None) -> None:
        values = (status, ended, id)

        def written(db: sqlite3.Connection) -> None:
            db.execute("UPDATE batches SET status = ?, ended = ? WHERE id = ?", values)

        self._database.submit(written).result()

    def _batch(self, row: sqlite3.Row) -> KeptBatch:
        found = {name: row[name] for name in KeptBatch._fields}
        status = row["status"]
        if status == "running" and not self._running.goes_on(row["id"]):
            status = "killed"
        return KeptBatch(
            **{**found, "status": status, "given": json.loads(row["given"]), "simulated": bool(row["simulated"])}
        )
