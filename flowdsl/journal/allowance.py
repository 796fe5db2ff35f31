"""What one who is let in may use of a gateway, counted over all processes that share a journal."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple

from flowdsl.engine.budget import ROUNDING_USD, in_usd
from flowdsl.errors import ConfigError
from flowdsl.journal.database import Database
from flowdsl.journal.day import day_of
from flowdsl.journal.day_budget import spent_day
from flowdsl.journal.errors import JournalError
from flowdsl.limits import Budget, Reservation

_MINUTE_S = 60.0


class Rate:
    """So many requests a minute, in one go or spread (the generic cell rate algorithm): who asks too often is told when
    to come back. `clock` gives Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def ask(self, who: str, per_minute: int) -> float:
        """Counts one request; 0, or the seconds after which one is allowed, and then this one does not count.

        Raises:
            JournalError: the journal cannot be written.
        """
        gap = _MINUTE_S / per_minute

        def asked(db: sqlite3.Connection) -> float:
            now = self._clock()
            row = db.execute("SELECT at FROM pace WHERE service = ?", (who,)).fetchone()
            full = now if row is None else min(max(float(row["at"]), now), now + _MINUTE_S)
            wait = full + gap - _MINUTE_S - now
            if wait > 1e-6:
                return wait
            values = (who, full + gap, now)
            db.execute("INSERT OR REPLACE INTO pace (service, at, written) VALUES (?, ?, ?)", values)
            return 0.0

        return await self._database.write(asked, durable=False)


class OwnBudget:
    """What one of them may spend in a day, besides what all may. `who` is the name under which it is counted, `remedy`
    how more is let."""

    def __init__(
        self,
        database: Database,
        who: str,
        most_usd: float,
        others: Budget | None,
        remedy: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._who = who
        self._most = most_usd
        self._others = others
        self._remedy = remedy
        self._clock = clock

    async def reserve(self, most_usd: float | None, service: str | None = None) -> Reservation:
        """Sets one request aside; see `Budget.reserve`.

        Raises:
            JournalError: the journal cannot be written.
        """
        if most_usd is None:
            raise ConfigError(
                f"this token may spend {in_usd(self._most)} a day, and what this picture costs is not known",
                code="unknown-price",
                hint="say in the service entry what one costs at most, in USD: `prices: 0.05`",
            )
        day = day_of(self._clock())

        def reserved(db: sqlite3.Connection) -> float | None:
            spent = _spent(db, day, self._who)
            if spent + most_usd > self._most + ROUNDING_USD:
                return spent
            _write(db, day, self._who, spent + most_usd)
            return None

        self._database.owed.again()  # what earlier ones did not spend can be spent
        written = self._database.submit(reserved, durable=False)
        own = _Reserved(self._database, day, self._who, most_usd)
        try:
            spent = await asyncio.wrap_future(written)
        except BaseException:
            written.add_done_callback(lambda _: _give_back(written, own))
            raise
        if spent is not None:
            left = in_usd(max(self._most - spent, 0.0))
            message = (
                f"this request can cost up to {in_usd(most_usd)}; {left} of the {in_usd(self._most)} a day of this "
                "token are left"
            )
            raise spent_day(message, most_usd, self._most, self._remedy, self._clock())
        if self._others is None:
            return own
        try:
            return _Both(own, await self._others.reserve(most_usd, service))
        except BaseException:
            own.release()
            raise


class _Reserved:
    def __init__(self, database: Database, day: str, who: str, usd: float) -> None:
        self._database = database
        self._day = day
        self._who = who
        self._usd = usd

    def settle(self, usd: float | None) -> None:
        if usd is not None:
            self._change(usd)

    def release(self) -> None:
        self._change(0.0)

    def _change(self, usd: float) -> None:
        more, self._usd = usd - self._usd, usd
        if not more:
            return

        def changed(db: sqlite3.Connection) -> None:
            _write(db, self._day, self._who, _spent(db, self._day, self._who) + more)

        self._database.owed.change(changed)


def _give_back(written: Future[float | None], reserved: _Reserved) -> None:
    """Nobody waits any more for what was to be set aside."""
    if written.exception() is None and written.result() is None:
        with suppress(JournalError):
            reserved.release()


class _Both(NamedTuple):
    own: Reservation
    others: Reservation

    def settle(self, usd: float | None) -> None:
        self.own.settle(usd)
        self.others.settle(usd)

    def release(self) -> None:
        self.own.release()
        self.others.release()


def _spent(db: sqlite3.Connection, day: str, who: str) -> float:
    row = db.execute("SELECT usd FROM spending_of WHERE day = ? AND service = ?", (day, who)).fetchone()
    return 0.0 if row is None else float(row[0])


def _write(db: sqlite3.Connection, day: str, who: str, usd: float) -> None:
    db.execute("INSERT OR REPLACE INTO spending_of (day, service, usd) VALUES (?, ?, ?)", (day, who, usd))
