"""A batch that is gone on with is that of one process; how one goes on that has spent what it may."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from flowdsl.cli.record_files import head_of
from flowdsl.errors import RunError, UsageError
from flowdsl.journal.errors import JournalError

if TYPE_CHECKING:
    from flowdsl.journal.batches import KeptBatch
    from flowdsl.journal.journal import Journal


def check_may_go_on(batch: KeptBatch) -> None:
    """Raises UsageError for a batch that cannot be resumed."""
    if batch.status == "running":
        raise UsageError(f"the batch {batch.id} goes on in another process: wait until it has ended, or end it there")
    if batch.status == "done":
        raise UsageError(f"the batch {batch.id} is done: there is nothing to resume")
    if batch.status == "dropped":
        raise UsageError(f"the batch {batch.id} was given up: `flowdsl batch` begins anew")


def stopped(error: RunError, id: str) -> str:
    """What is said of a batch that has spent what it may: the limit that it was, and how it goes on. A limit of its own
    is raised where it is resumed, one of a day, a token or a service where it stands."""
    option = "--max-requests N" if error.code == "too-many-requests" else "--max-usd X"
    if error.hint is None or f"`{option}`" in error.hint:
        return f"stopped: {error.message}\n  `flowdsl resume {id[:13]} {option}` goes on\n"
    return f"stopped: {error.message}\n  {error.hint}; then `flowdsl resume {id[:13]}` goes on\n"


def take_batch(journal: Journal, batch: KeptBatch, stack: ExitStack) -> None:
    """Has a batch be that of this process until the stack is closed.

    Raises:
        UsageError: it goes on elsewhere, or was ended there just now.
    """
    try:
        stack.enter_context(journal.holding(batch.id))
    except JournalError as error:
        if error.code != "run-goes-on":
            raise
        check_may_go_on(batch._replace(status="running"))
    now = journal.batches.find(batch.id)
    if now is not None and now.status != "running":  # which is this process
        check_may_go_on(now)


def check_same(path: str, kept: KeptBatch) -> None:
    """Looks whether the records are those that the batch began with; others may have come behind them.

    Raises:
        UsageError: they are not: the numbers of records would mean others.
    """
    before = kept.given.get("over")
    if isinstance(before, dict) and head_of(path, before.get("bytes")) != before:
        raise UsageError(
            f"{path} has changed since the batch began, so its records are not the same any more: put it back as it "
            "was, or run the changed one as a batch of its own, with another --out"
        )
