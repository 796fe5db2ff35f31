"""What all runs of a project may spend in a day, whatever processes they are in."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from flowdsl.engine.budget import in_usd
from flowdsl.errors import ConfigError, LimitExceeded
from flowdsl.journal.database import Database
from flowdsl.limits import Reservation


class DayBudget:
    """A budget in a journal's file: the sum of a day, which ends at midnight of the machine's time zone. What a process
    that was killed had set aside stays so. `clock` gives Unix seconds, `where` the file that says `max_usd`."""

    def __init__(self, database: Database, max_usd: float, where: str, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._max_usd = max_usd
        self._where = where
        self._clock = clock

    def reserve(self, most_usd: float | None) -> Reservation:
        """Sets one request aside; see `Budget.reserve`. It waits for the file, some tenths of a millisecond.

        Raises:
            JournalError: the journal cannot be written.
        """
        if most_usd is None:
            raise ConfigError(
                f"the project may spend {in_usd(self._max_usd)} a day, and what this picture costs is not known",
                code="unknown-price",
                hint="say in the service entry what one costs at most, in USD: `prices: 0.05`",
            )
        day = time.strftime("%Y-%m-%d", time.localtime(self._clock()))
        most = most_usd

        def reserved(db: sqlite3.Connection) -> float | None:
            spent = _spent(db, day)
            if spent + most > self._max_usd + 1e-9:
                return spent
            _add(db, day, most)
            return None

        spent = self._database.submit(reserved, durable=False).result()
        if spent is not None:
            left = max(self._max_usd - spent, 0.0)
            raise LimitExceeded(
                f"this request can cost up to {in_usd(most)}; {in_usd(left)} of the {in_usd(self._max_usd)} a day are "
                "left",
                code="budget-spent",
                hint=f"go on tomorrow, or raise `max_usd_per_day` in {self._where}",
            )
        return _Reserved(self._database, day, most)


class _Reserved:
    def __init__(self, database: Database, day: str, usd: float) -> None:
        self._database = database
        self._day = day
        self._usd = usd

    def settle(self, usd: float | None) -> None:
        if usd is not None:
            self._change(usd - self._usd)
            self._usd = usd

    def release(self) -> None:
        self._change(-self._usd)
        self._usd = 0.0

    def _change(self, usd: float) -> None:
        if usd:
            self._database.submit(lambda db: _add(db, self._day, usd), durable=False)


def _spent(db: sqlite3.Connection, day: str) -> float:
    row = db.execute("SELECT usd FROM spending WHERE day = ?", (day,)).fetchone()
    return 0.0 if row is None else float(row[0])


def _add(db: sqlite3.Connection, day: str, usd: float) -> None:
    db.execute("INSERT OR REPLACE INTO spending (day, usd) VALUES (?, ?)", (day, _spent(db, day) + usd))
