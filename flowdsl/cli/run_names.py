"""Which run or batch is meant where a command takes one: by its id, its beginning, or as the last one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.runs import KeptRun

LAST = "last"
"""What stands for the last run or batch."""
_OF_FILE = """
    SELECT coalesce(runs.batch, runs.id) AS id FROM names JOIN runs ON runs.id = names.run
    WHERE substr(names.file, 1, length(:folder)) = :folder ORDER BY runs.began DESC LIMIT 1
"""


def meant(journal: Journal, named: str) -> str:
    """The id, or its beginning, of the run or batch that is named; `BATCH.RECORD` is the run of a record.

    Raises:
        UsageError: there is none yet, or a folder is named; then it says whose pictures that holds.
    """
    if named == LAST:
        journal.runs.check()
        single = journal.runs.all(most=1)
        found = journal.batches.last(single) or next(iter(single), None)
        if found is None:
            raise UsageError(f"no run in {journal.folder} has paid for anything yet")
        return found.id
    is_path = "/" in named or os.sep in named or os.path.isdir(named)  # noqa: PTH112  pathlib is slow to import
    if is_path and not journal.runs.named(named):  # a host may call a run so
        raise UsageError(_of_folder(journal, named))
    return of_record(journal, named) or named


def of_record(journal: Journal, named: str) -> str | None:
    """The id of the run of a record, which `BATCH.RECORD` names; None where that is none.

    Raises:
        UsageError: that record has paid for nothing.
    """
    begin, _, number = named.rpartition(".")
    if not begin or not (number.isascii() and number.isdigit()) or journal.runs.named(named):
        return None
    batch = journal.batches.find(meant(journal, begin))
    if batch is None:
        return None
    found = f"{batch.id}.{number}"
    if not journal.runs.named(found):
        raise UsageError(
            f"record {number} of the batch {batch.id[:13]} has paid for nothing: `flowdsl runs show {batch.id[:13]}` "
            "shows the batch, whose records count from 0"
        )
    return found


def short_id(run: KeptRun) -> str:
    """What names a run in a command: the beginning of its id, and the number of its record in a batch."""
    return run.id[:13] if run.batch is None else f"{run.batch[:13]}.{run.id.rpartition('.')[2]}"


def _of_folder(journal: Journal, named: str) -> str:
    folder = os.path.abspath(named)  # noqa: PTH100
    if not os.path.isdir(folder):  # noqa: PTH112
        folder = os.path.dirname(folder)  # noqa: PTH120
    said = f"{visible_line(named)} is no id of a run or a batch, which `flowdsl runs list` shows"
    ids = [each.id for each in journal.batches.all() if os.path.abspath(each.folder) == folder]  # noqa: PTH100
    if not ids and os.path.isdir(folder):  # noqa: PTH112
        rows = journal.database.read(_OF_FILE, {"folder": os.path.join(folder, "")})  # noqa: PTH118
        ids = [row["id"] for row in rows]
    return f"{said}; write {ids[0][:13]}, of which that folder has the pictures" if ids else said


def goes_on_elsewhere(run: KeptRun) -> str:
    """How a run goes on that `flowdsl resume` does not take, as somebody else has begun it; empty for one of the
    command."""
    from flowdsl.journal.runs import OF_GATEWAY
    from flowdsl.journal.tags import FLOW_TAG

    if run.flow == OF_GATEWAY or ("argv" not in run.given and FLOW_TAG in run.tags):
        return "its client goes on with it by sending it again, with its Idempotency-Key"
    if run.batch is None and "argv" not in run.given:
        return f'`flow.run(…, journal=journal.resuming("{run.id}"), run_id="{run.id}")` goes on with it'
    return ""
