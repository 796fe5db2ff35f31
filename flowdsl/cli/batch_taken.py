"""The folder of a batch is its own; one that is gone on with is that of one process; how one goes on that has spent
what it may."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from flowdsl.cli.journaled import elsewhere, naming_journal, sum_of
from flowdsl.cli.record_files import head_of
from flowdsl.errors import RunError, UsageError
from flowdsl.journal.errors import JournalError

if TYPE_CHECKING:
    from flowdsl.journal.batches import KeptBatch
    from flowdsl.journal.journal import Journal

_FOLDER = "flowdsl-batch"


def named(options: Namespace, kept: KeptBatch | None, state: Path) -> tuple[str, Path]:
    """The id of a batch, and the folder of its results.

    Raises:
        UsageError: the folder has those of another batch.
    """
    if kept is not None:
        return kept.id, Path(kept.folder)
    from flowdsl.engine.state import new_run_id
    from flowdsl.journal.journal import Journal

    id = new_run_id()
    folder = Path(options.out) if options.out else Path(_FOLDER) / id[:13]
    is_used = any((folder / name).exists() for name in ("results.jsonl", "failed.jsonl"))
    if is_used or folder.is_dir():  # one that was killed early has no results yet
        with Journal(state) as journal, naming_journal(journal):
            begun = _unfinished_in(folder, journal)
            if begun is not None:
                go_on = f"or go on with that: `flowdsl resume {begun.id[:13]}`"
                raise UsageError(f"{folder} is the folder of a batch that is not finished: name another --out, {go_on}")
        if is_used:
            raise UsageError(f"{folder} holds the results of another batch: name another --out")
    return id, folder.absolute()


def _unfinished_in(folder: Path, journal: Journal) -> KeptBatch | None:
    """The batch whose results are in a folder, where it can go on."""
    found = next((each for each in journal.batches.all() if each.folder == str(folder.absolute())), None)
    return found if found is not None and found.may_be_resumed and journal.batches.begun(found.id) else None


def warn_of_unfinished(journal: Journal, flow: str) -> None:
    """Says on stderr that an earlier batch of a flow can go on, which has paid for something."""
    batches = journal.batches
    found = next((each for each in batches.all() if (each.flow, each.simulated) == (flow, journal.simulated)), None)
    if found is None or not found.may_be_resumed:
        return
    number, usd, is_known = batches.spent(found.id)
    if number:
        paid = "1 request is paid for" if number == 1 else f"{number:,} requests are paid for"
        cost = (sum_of(usd) if is_known else "at a price that is not known") + (
            ", simulated" if found.simulated else ""
        )
        said = f"  `flowdsl resume {found.id[:13]}` goes on with it; this batch buys everything anew\n"
        sys.stderr.write(f"flowdsl: an earlier batch of this flow is not finished: {paid}, {cost}\n{said}")
        sys.stderr.write(elsewhere(journal, said))


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
