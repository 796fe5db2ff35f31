"""Which runs were simulated, for those who have nothing of them but their ids, such as a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdsl.journal.database import Database

_AT_ONCE = 500


def simulated(database: Database, runs: Iterable[str]) -> dict[str, bool]:
    """Whether runs were simulated, by their ids; without those that the journal does not have. What is known of a batch
    goes for the runs of its records, also for those that paid for nothing themselves.

    Raises:
        JournalError: the journal cannot be read.
    """
    wanted = dict.fromkeys(runs)
    batches = dict(_found(database, "batches", dict.fromkeys(map(_batch_of, wanted))))
    found = {run: batches[_batch_of(run)] for run in wanted if _batch_of(run) in batches}
    return found | dict(_found(database, "runs", [run for run in wanted if run not in found]))


def _batch_of(run: str) -> str:
    return run.partition(".")[0]


def _found(database: Database, table: str, ids: Iterable[str]) -> Iterator[tuple[str, bool]]:
    wanted = list(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        for row in database.read(f"SELECT id, simulated FROM {table} WHERE id IN ({marks})", some):
            yield row["id"], bool(row["simulated"])
