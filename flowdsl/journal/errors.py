"""What a journal cannot do, in words."""

from __future__ import annotations

import errno
import sqlite3
import time
from pathlib import Path
from typing import Any

from flowdsl.errors import ConfigError, LimitExceeded
from flowdsl.journal.place import VARIABLE

_DAMAGED = ("malformed", "not a database", "no such table", "no such column")
"""What SQLite says of a file that is none of its own, or has lost a part."""
WITHOUT = "`flowdsl run --no-journal`, in a host no `journal=`, keeps none: a run that is killed then cannot be resumed"


class JournalError(ConfigError):
    """The journal cannot be read or written. Nothing was sent because of it."""

    code = "journal-unwritable"


class RequestHeld(LimitExceeded):
    """A request was sent before and nobody knows what became of it, so it is not sent again; no TRY catches this."""

    code = "request-held"


_LOOK = "look at the vendor's own account whether it is; `flowdsl runs release {id}` lets it be sent again"


def held(run: str, began: float, request: Any) -> RequestHeld:
    """The error for a request in doubt; `request` is what an effect says of it."""
    asks = request if isinstance(request, dict) else {}
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
    error = RequestHeld(
        f"this request to {asks.get('service') or 'the service'} was sent at {when}, and nobody knows what became of "
        "it: it may be done, and billed",
        hint=_LOOK.format(id=run),
    )
    error.charge_possible = True
    return error


def record_held(batch: str) -> RequestHeld:
    """The error for a record of a batch that is left alone, as a request of it is in doubt."""
    error = RequestHeld(
        "a request of this record was sent, and nobody knows what became of it: it may be done, and billed",
        hint=_LOOK.format(id=batch),
    )
    error.charge_possible = True
    return error


def damaged(folder: Path, why: str) -> JournalError:
    """The error for a file that is no journal, or no longer one."""
    return JournalError(
        f"the journal {folder / NAME} is damaged: {why}",
        code="journal-damaged",
        hint=f"move it away, and keep it: it says what was paid for; the next run makes a new one. {WITHOUT}",
    )


def refused(folder: Path, error: sqlite3.Error | OSError) -> JournalError:
    """The error for what SQLite or the system refuses."""
    if isinstance(error, sqlite3.OperationalError) and "unable to open" in str(error):
        error = _unopened(folder) or error
    said = str(error) if isinstance(error, sqlite3.Error) else error.strerror or str(error)
    full = isinstance(error, sqlite3.OperationalError) and "full" in said
    if full or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
        return JournalError(
            f"the journal in {folder} cannot grow: the disk is full",
            code="journal-full",
            hint=f"make room; then `flowdsl runs gc` removes what old runs left there; {WITHOUT}",
        )
    if isinstance(error, sqlite3.DatabaseError) and any(words in said for words in _DAMAGED):
        return damaged(folder, said)
    if isinstance(error, sqlite3.OperationalError) and "locked" in said:
        return JournalError(
            f"the journal {folder / NAME} is held by another process",
            code="journal-busy",
            hint="wait until it has ended, and run this again",
        )
    if isinstance(error, OSError) and error.errno in (errno.EEXIST, errno.ENOTDIR, errno.ELOOP):
        return JournalError(
            f"the journal's folder {folder} cannot be made: something that is no folder stands there",
            hint=f"move it away, or name another folder in the variable {VARIABLE}; {WITHOUT}",
        )
    return JournalError(
        f"the journal in {folder} cannot be written: {said}", hint=f"make the folder writable; {WITHOUT}"
    )


def _unopened(folder: Path) -> OSError | None:
    """What keeps a file from being made in a folder, which SQLite does not say."""
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error


NAME = "journal.sqlite"
"""The file of a journal, inside its folder."""


def led_to(failed: BaseException | None, error: BaseException | None) -> bool:
    """Whether a failure is the one that a run ended with, or stands behind it."""
    seen: set[int] = set()
    while failed is not None and error is not None and id(error) not in seen:
        if error is failed:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
