"""What all runs of a project may spend in a day, whatever processes they are in."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from flowdsl.engine.budget import ROUNDING_USD, in_usd
from flowdsl.errors import ConfigError, LimitExceeded
from flowdsl.journal.database import Database
from flowdsl.journal.day import day_of, left_of_day
from flowdsl.journal.errors import JournalError
from flowdsl.limits import Reservation

_ALL = "max_usd_per_day"
_OF_SERVICES = "max_usd_per_day_by_service"


class Most(NamedTuple):
    """What may be spent, and the file that says so."""

    usd: float
    where: str


class DayBudget:
    """A budget in a journal's file: the sum of a day, which ends at midnight of the machine's time zone, for all
    services, and for those of `services` alone. What a process that was killed had set aside stays so. `clock` gives
    Unix seconds."""

    def __init__(
        self,
        database: Database,
        whole: Most | None,
        services: Mapping[str, Most] = MappingProxyType({}),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._whole = whole
        self._services = services
        self._clock = clock

    async def reserve(self, most_usd: float | None, service: str | None = None) -> Reservation:
        """Sets one request aside; see `Budget.reserve`.

        Raises:
            JournalError: the journal cannot be written.
        """
        own = None if service is None else self._services.get(service)
        if most_usd is None and (limit := own or self._whole) is not None:
            who = "the project" if own is None else f"the service {service}"
            raise ConfigError(
                f"{who} may spend {in_usd(limit.usd)} a day, and what this picture costs is not known",
                code="unknown-price",
                hint="say in the service entry what one costs at most, in USD: `prices: 0.05`",
            )
        day = day_of(self._clock())
        most = most_usd or 0.0

        def reserved(db: sqlite3.Connection) -> tuple[Most, float, str | None] | None:
            for limit, name in ((own, service), (self._whole, None)):
                spent = 0.0 if limit is None else _spent(db, day, name)
                if limit is not None and spent + most > limit.usd + ROUNDING_USD:
                    return limit, spent, name
            _add(db, day, service, most)
            return None

        self._database.owed.again()  # what earlier ones did not spend can be spent
        written = self._database.submit(reserved, durable=False)
        own_part = _Reserved(self._database, day, service, most)
        try:
            refused = await asyncio.wrap_future(written)
        except BaseException:
            written.add_done_callback(lambda _: _give_back(written, own_part))
            raise
        if refused is not None:
            limit, spent, name = refused
            left = in_usd(max(limit.usd - spent, 0.0))
            of = "" if name is None else f" of {name}"
            key = f"`{_ALL}`" if name is None else f"`{name}` below `[{_OF_SERVICES}]`"
            message = (
                f"this request can cost up to {in_usd(most)}; {left} of the {in_usd(limit.usd)} a day{of} are left"
            )
            raise spent_day(message, most, limit.usd, f"raise {key} in {limit.where}", self._clock())
        return own_part


def spent_day(message: str, most: float, limit: float, remedy: str, now: float) -> LimitExceeded:
    """The error for a request that can cost more than is left of a day's `limit`; `remedy` is how that is raised."""
    is_enough = most <= limit + ROUNDING_USD
    hint = f"go on tomorrow, or {remedy}" if is_enough else f"it can cost more than a whole day allows: {remedy}"
    error = LimitExceeded(message, code="budget-spent", hint=hint)
    error.free_in_s = left_of_day(now) if is_enough else math.inf
    return error


class _Reserved:
    def __init__(self, database: Database, day: str, service: str | None, usd: float) -> None:
        self._database = database
        self._day = day
        self._service = service
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
            self._database.owed.change(lambda db: _add(db, self._day, self._service, usd))


def _give_back(written: Future[Any], reserved: _Reserved) -> None:
    """Nobody waits any more for what was to be set aside. A journal that is closed by now keeps it until midnight."""
    if written.exception() is None and written.result() is None:
        with suppress(JournalError):
            reserved.release()


def _spent(db: sqlite3.Connection, day: str, service: str | None) -> float:
    """What is spent a day, at a service or at all of them."""
    if service is None:
        row = db.execute("SELECT usd FROM spending WHERE day = ?", (day,)).fetchone()
    else:
        row = db.execute("SELECT usd FROM spending_of WHERE day = ? AND service = ?", (day, service)).fetchone()
    return 0.0 if row is None else float(row[0])


def _add(db: sqlite3.Connection, day: str, service: str | None, usd: float) -> None:
    """Adds to what is spent: at all services, and at the one that is asked."""
    db.execute("INSERT OR REPLACE INTO spending (day, usd) VALUES (?, ?)", (day, _spent(db, day, None) + usd))
    if service is not None:
        values = (day, service, _spent(db, day, service) + usd)
        db.execute("INSERT OR REPLACE INTO spending_of (day, service, usd) VALUES (?, ?, ?)", values)
