"""What stands in a journal of a run that pays for the first time, or goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.errors import RunError
from flowdsl.journal.errors import JournalError
from flowdsl.journal.rows import json_text
from flowdsl.journal.steps import steps_of, text_digest

if TYPE_CHECKING:
    import sqlite3

    from flowdsl.engine.effects import Began
    from flowdsl.journal.keeper import Keeper


def write_run(db: sqlite3.Connection, began: Began, journal: Keeper, *, is_new: bool) -> None:
    """Writes down that a run begins to pay, or that it goes on.

    Raises:
        JournalError: another run of its id stands there.
    """
    if not is_new:
        db.execute("UPDATE runs SET status = 'running', ended = NULL WHERE id = ?", (began.run,))
        return
    document = began.document
    inputs = began.hide(dict(began.inputs))  # again: by now more secrets are known
    hidden = [*began.hidden, *(name for name in inputs if inputs[name] != began.inputs[name])]
    given = {**began.hide(dict(journal.given)), "inputs": inputs, "hidden": hidden, "steps": steps_of(document)}
    if db.execute("SELECT 1 FROM runs WHERE id = ?", (began.run,)).fetchone():
        raise JournalError(
            f"a run of the id {began.run} stands in the journal already",
            code="run-goes-on",
            hint="give each run an id of its own; `journal.resuming(id)` lets this one go on",
        )
    db.execute(
        "INSERT INTO runs (id, flow, flow_sha256, title, action, given, as_of, simulated, batch, record, tags,"
        " status, began) VALUES (?,?,?,?,?,?,?,?,?,?,?,'running',?)",
        (
            began.run,
            flow_path(document.source.path),
            text_digest(document.source.text),
            document.title,
            journal.given.get("action"),
            json_text(given, str),
            began.as_of.isoformat(),
            journal.simulated,
            began.batch,
            began.record,
            json_text(dict(began.tags)),
            time.time(),
        ),
    )


def end_of(
    run: str, status: str, error: BaseException | None, final: Sequence[bytes], *, is_listed: bool
) -> tuple[Callable[[sqlite3.Connection], Any], Callable[[sqlite3.Connection], Any]]:
    """What writes how a run ended, with the failures that it ended with, and what does where the file did not take that
    at first: only as long as nothing else stands there of its end."""
    said = json_text(error.to_dict()) if isinstance(error, RunError) else None
    values = (status, said, time.time(), run)

    def ended(db: sqlite3.Connection) -> None:
        db.execute("UPDATE runs SET status = ?, error = ?, ended = ? WHERE id = ?", values)
        if is_listed:
            db.execute("UPDATE names SET is_listed = 1 WHERE run = ?", (run,))
        db.executemany("UPDATE ledger SET is_final = 1 WHERE id = ?", [(each,) for each in final])

    def again(db: sqlite3.Connection) -> None:
        if db.execute("SELECT 1 FROM runs WHERE id = ? AND status = 'running'", (run,)).fetchone():
            ended(db)

    return ended, again


def flow_path(path: str) -> str:
    """The path of a flow as the journal has it: absolute, or the name of a text that has no file."""
    return path if path.startswith("<") else os.path.abspath(path)  # noqa: PTH100  links stay links
