"""What all runs of a project may spend in a day, whatever processes they are in."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from flowdsl.engine.budget import ROUNDING_USD, in_usd
from flowdsl.errors import ConfigError, LimitExceeded
from flowdsl.journal.database import Database
from flowdsl.journal.day import day_of, left_of_day
from flowdsl.journal.reserved import Reserved, Sums, spent
from flowdsl.limits import Reservation

_ALL = "max_usd_per_day"
_OF_SERVICES = "max_usd_per_day_by_service"


class Most(NamedTuple):
    """What may be spent, and the file that says so."""

    usd: float
    where: str


class DayBudget:
    """A budget in a journal's file: the sum of a day, which ends at midnight of the machine's time zone, for all
    services, and for those of `services` alone. What a process that was killed had set aside for requests that had not
    begun is free again. `clock` gives Unix seconds."""

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

        def refusing(db: sqlite3.Connection) -> tuple[Most, float, str | None] | None:
            for limit, name in ((own, service), (self._whole, None)):
                used = 0.0 if limit is None else spent(db, day, name)
                if limit is not None and used + most > limit.usd + ROUNDING_USD:
                    return limit, used, name
            return None

        reserved = Reserved(self._database, Sums(day, service), most)
        refused = await reserved.unless(refusing)
        if refused is not None:
            limit, used, name = refused
            left = in_usd(max(limit.usd - used, 0.0))
            of = "" if name is None else f" of {name}"
            key = f"`{_ALL}`" if name is None else f"`{name}` below `[{_OF_SERVICES}]`"
            message = (
                f"this request can cost up to {in_usd(most)}; {left} of the {in_usd(limit.usd)} a day{of} are left"
            )
            raise spent_day(message, most, limit.usd, f"raise {key} in {limit.where}", self._clock())
        return reserved


def spent_day(message: str, most: float, limit: float, remedy: str, now: float) -> LimitExceeded:
    """The error for a request that can cost more than is left of a day's `limit`; `remedy` is how that is raised."""
    is_enough = most <= limit + ROUNDING_USD
    hint = f"go on tomorrow, or {remedy}" if is_enough else f"it can cost more than a whole day allows: {remedy}"
    error = LimitExceeded(message, code="budget-spent", hint=hint)
    error.free_in_s = left_of_day(now) if is_enough else math.inf
    return error
