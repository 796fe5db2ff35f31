"""What one who is let in may use of a gateway, counted over all processes that share a journal."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import NamedTuple

from flowdsl.engine.budget import ROUNDING_USD, in_usd
from flowdsl.errors import ConfigError
from flowdsl.journal.database import Database
from flowdsl.journal.day import day_of
from flowdsl.journal.day_budget import spent_day
from flowdsl.journal.reserved import Reserved, Sums, spent
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

        def refusing(db: sqlite3.Connection) -> float | None:
            used = spent(db, day, self._who)
            return used if used + most_usd > self._most + ROUNDING_USD else None

        own = Reserved(self._database, Sums(day, self._who, in_all=False), most_usd)
        used = await own.unless(refusing)
        if used is not None:
            left = in_usd(max(self._most - used, 0.0))
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


class _Both(NamedTuple):
    own: Reservation
    others: Reservation

    def settle(self, usd: float | None) -> None:
        self.own.settle(usd)
        self.others.settle(usd)

    def release(self) -> None:
        self.own.release()
        self.others.release()
