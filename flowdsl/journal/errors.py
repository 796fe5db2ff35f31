"""What a journal cannot do, in words."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from flowdsl.errors import ConfigError, LimitExceeded

WITHOUT = "`--no-journal` runs without one: a run that is killed then cannot be resumed"


class JournalError(ConfigError):
    """The journal cannot be read or written. Nothing was sent because of it."""

    code = "journal-unwritable"


class RequestHeld(LimitExceeded):
    """A request was sent before and nobody knows what became of it, so it is not sent again; no TRY catches this."""

    code = "request-held"


def refused(folder: Path, error: sqlite3.Error | OSError) -> JournalError:
    """The error for what SQLite or the system refuses."""
    said = str(error) if isinstance(error, sqlite3.Error) else error.strerror or str(error)
    full = isinstance(error, sqlite3.OperationalError) and "full" in said
    if full or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
        return JournalError(
            f"the journal in {folder} cannot grow: the disk is full",
            code="journal-full",
            hint=f"make room, or let `flowdsl runs gc` remove what old runs left there; {WITHOUT}",
        )
    if isinstance(error, sqlite3.DatabaseError) and ("malformed" in said or "not a database" in said):
        return JournalError(
            f"the journal {folder / NAME} is damaged: {said}",
            code="journal-damaged",
            hint=f"move it away, and keep it: it says what was paid for; the next run makes a new one. {WITHOUT}",
        )
    if isinstance(error, sqlite3.OperationalError) and "locked" in said:
        return JournalError(
            f"the journal {folder / NAME} is held by another process",
            code="journal-busy",
            hint="wait until it has ended, and run this again",
        )
    return JournalError(
        f"the journal in {folder} cannot be written: {said}", hint=f"make the folder writable; {WITHOUT}"
    )


NAME = "journal.sqlite"
"""The file of a journal, inside its folder."""
