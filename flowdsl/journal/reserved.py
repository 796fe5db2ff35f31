"""What is set aside in the sums of a day for one paid request, until it is known what that cost.

The sums hold it from the moment when it is set aside, once, whatever becomes of it. A row of `reserved` says besides
that its request has not begun, and whose it is: it goes in the transaction that writes down in the ledger that the
request begins, and comes again in the one that takes this back. So what rows say of a process that is gone was never
sent, and is free again; what may have been sent has no row, and stays.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flowdsl.journal import rows
from flowdsl.journal.errors import JournalError
from flowdsl.journal.owners import Owners
from flowdsl.step.sending import RESERVING

if TYPE_CHECKING:
    import sqlite3

    from flowdsl.journal.database import Database
    from flowdsl.step.sending import Sending

T = TypeVar("T")
_MORE = "UPDATE SET usd = usd + excluded.usd"
_ADD = f"INSERT INTO spending (day, usd) VALUES (?, ?) ON CONFLICT (day) DO {_MORE}"
_ADD_OF = f"INSERT INTO spending_of (day, service, usd) VALUES (?, ?, ?) ON CONFLICT (day, service) DO {_MORE}"
_KEEP = "INSERT OR REPLACE INTO reserved (owner, id, day, name, in_all, usd) VALUES (?,?,?,?,?,?)"
_FORGET = "DELETE FROM reserved WHERE owner = ? AND id = ?"


class Sums(NamedTuple):
    """The sums of a day that something counts in: that of a `name`, a service's or another, and that of all."""

    day: str
    name: str | None
    in_all: bool = True

    def add(self, db: sqlite3.Connection, usd: float) -> None:
        """Adds to them."""
        if self.in_all:
            db.execute(_ADD, (self.day, usd))
        if self.name is not None:
            db.execute(_ADD_OF, (self.day, self.name, usd))


def spent(db: sqlite3.Connection, day: str, name: str | None) -> float:
    """What is spent a day, or set aside: under a name, or in all."""
    if name is None:
        row = db.execute("SELECT usd FROM spending WHERE day = ?", (day,)).fetchone()
    else:
        row = db.execute("SELECT usd FROM spending_of WHERE day = ? AND service = ?", (day, name)).fetchone()
    return 0.0 if row is None else float(row[0])


class Reserved:
    """A `Reservation` in the sums of a day. One that is made for a `Sending` is known to wait until that begins."""

    def __init__(self, database: Database, sums: Sums, usd: float) -> None:
        self._database = database
        self._sums = sums
        self._usd = self._most = usd
        self._waits = bool(usd) and RESERVING.get() is not None
        self._id = os.urandom(8)
        self._has_begun = self._is_over = False

    async def unless(self, refused: Callable[[sqlite3.Connection], T | None]) -> T | None:
        """Sets it aside, unless something is `refused`: gives that. Of a caller that is cancelled nothing stays.

        Raises:
            JournalError: the journal cannot be written.
        """

        def taken(db: sqlite3.Connection) -> T | None:
            why = refused(db)
            if why is not None and free(db, self._database.owners):
                why = refused(db)
            if why is None:
                self._sums.add(db, self._usd)
                self._wait(db)
            return why

        self._database.owed.again()  # what earlier ones did not spend can be spent
        written = self._database.submit(taken, durable=False)
        try:
            why = await asyncio.wrap_future(written)
        except BaseException:
            written.add_done_callback(self._give_back)
            raise
        if why is None and (sending := RESERVING.get()) is not None:
            sending.reserved.append(self)
        return why

    def settle(self, usd: float | None) -> None:
        """See `Reservation`."""
        self._change(self._usd if usd is None else usd)

    def release(self) -> None:
        """See `Reservation`."""
        self._change(0.0)

    def begun(self, db: sqlite3.Connection) -> None:
        """Its request begins: from now on it may be billed. Where somebody has freed it meanwhile, as this process
        seemed to be gone (its lock was removed, or is not seen from there), it is counted again: what may be billed
        stands in the sums, whatever that makes of them."""
        if self._waits:
            was_there = db.execute(_FORGET, (self._database.owners.own(), self._id)).rowcount
            if not (was_there or self._has_begun):
                self._sums.add(db, self._most)
            self._has_begun = True

    def withdrawn(self, db: sqlite3.Connection) -> None:
        """Its request was not sent, or refused, and begins again later."""
        if not self._is_over:  # else what gives it back is handed in, or was written before this
            self._wait(db)

    def _wait(self, db: sqlite3.Connection) -> None:
        if self._waits:
            if not self._database.owners.has_own:
                free(db, self._database.owners)
            db.execute(_KEEP, (self._database.owners.own(), self._id, *self._sums, self._usd))
            self._has_begun = False

    def _change(self, usd: float) -> None:
        more, self._usd, self._is_over = usd - self._usd, usd, True
        if more or (self._waits and not self._has_begun):
            self._database.owed.change(partial(self._changed, more))

    def _changed(self, more: float, db: sqlite3.Connection) -> None:
        self.begun(db)
        self._sums.add(db, more)

    def _give_back(self, written: Future[Any]) -> None:
        """Nobody waits any more for what was to be set aside."""
        if written.exception() is None and written.result() is None:
            with suppress(JournalError):
                self.release()


def free(db: sqlite3.Connection, owners: Owners) -> bool:
    """Frees what processes that are gone had set aside for requests that had not begun; whether that was anything."""
    found = [owner for (owner,) in db.execute("SELECT DISTINCT owner FROM reserved")]
    gone = [owner for owner in found if owners.is_gone(owner)]
    for owner in gone:
        for row in db.execute("SELECT day, name, in_all, usd FROM reserved WHERE owner = ?", (owner,)).fetchall():
            Sums(row["day"], row["name"], bool(row["in_all"])).add(db, -row["usd"])
        db.execute("DELETE FROM reserved WHERE owner = ?", (owner,))
    return bool(gone)


def start(db: sqlite3.Connection, values: tuple[Any, ...], sending: Sending | None) -> None:
    """Writes into the ledger that a request begins: what is set aside for it stays from now on."""
    db.execute(rows.STARTED, values)
    for each in () if sending is None else sending.reserved:
        each.begun(db)


def forget(db: sqlite3.Connection, values: tuple[Any, ...], sending: Sending | None) -> None:
    """Takes that back, where it stands there as it was written."""
    if db.execute(rows.NOT_SENT, values).rowcount:
        for each in () if sending is None else sending.reserved:
            each.withdrawn(db)
