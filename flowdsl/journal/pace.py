"""How fast a service may be asked, over all processes that share a journal: one row for each service.

The row holds when the next request may begin, in Unix seconds; whoever asks moves it on by the pause between two
requests (the generic cell rate algorithm, with a burst of one, as ITU-T I.371 has it). A service that says that it is
asked too often moves it on as far as it says, for everybody.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable

from flowdsl.journal.database import Database

LONGEST_S = 600.0
"""A time further away than this is no pause: the clock was set back, and it counts as now."""


class Pace:
    """The pace of services in a journal's file. `clock` gives Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def take(self, service: str, pause_s: float) -> None:
        """Waits until a request may be sent. A caller that is cancelled while it waits has used its turn.

        Raises:
            JournalError: the journal cannot be written.
        """
        if not pause_s:
            await self._pushed_back(service)
            return

        def taken(db: sqlite3.Connection) -> float:
            now = self._clock()
            at = _at(db, service, now)
            db.execute("INSERT OR REPLACE INTO pace (service, at) VALUES (?, ?)", (service, at + pause_s))
            return at - now

        wait_s = await self._database.write(taken, durable=False)
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _pushed_back(self, service: str) -> None:
        """Waits as long as a service has asked for, which costs no writing."""
        for row in self._database.read("SELECT at FROM pace WHERE service = ?", (service,)):
            wait_s = float(row["at"]) - self._clock()
            if 0 < wait_s <= LONGEST_S:
                await asyncio.sleep(wait_s)

    def push_back(self, service: str, pause_s: float) -> None:
        """A service asks for a pause: nobody asks it before that is over."""

        def pushed(db: sqlite3.Connection) -> None:
            now = self._clock()
            at = max(_at(db, service, now), now + min(pause_s, LONGEST_S))
            db.execute("INSERT OR REPLACE INTO pace (service, at) VALUES (?, ?)", (service, at))

        self._database.submit(pushed, durable=False)


def _at(db: sqlite3.Connection, service: str, now: float) -> float:
    """When the next request to a service may begin."""
    row = db.execute("SELECT at FROM pace WHERE service = ?", (service,)).fetchone()
    at = now if row is None else float(row[0])
    return at if now <= at <= now + LONGEST_S else now
