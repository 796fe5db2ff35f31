"""Turns at a service, for those of one event loop that wait for one: in their order, and none long before it comes. A
process that stood still, or had no time, would take all of its turns at once when it goes on.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from itertools import islice

from flowdsl.journal.database import Database

AHEAD_S = 0.03
"""A turn is taken so long before it at most: what can become late makes no second fuller by more than that."""
_SHORTEST_S = 0.001
_MOST_TOGETHER = 64

Claim = Callable[[sqlite3.Connection], float]
"""Takes a turn, unless it comes in more than AHEAD_S seconds; gives in how many it comes."""


class _Waiting:
    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.turn: float | None = None


class Turns:
    """Those who wait. The first of them asks for all."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._is_first = asyncio.Lock()

    async def wait(self, database: Database, claim: Claim) -> None:
        """Waits for a turn.

        Raises:
            JournalError: the journal cannot be written.
        """
        own = _Waiting(claim)
        self._waiting.append(own)
        try:
            async with self._is_first:
                while own.turn is None:
                    await self._ask(database)
        finally:
            if own.turn is None:
                self._waiting.remove(own)
        await asyncio.sleep(max(own.turn - time.monotonic(), 0.0))

    async def _ask(self, database: Database) -> None:
        """Takes turns for as many as can have one by now, and waits as long as the next one has to."""
        first = list(islice(self._waiting, _MOST_TOGETHER))

        def claimed(db: sqlite3.Connection) -> tuple[list[float], float]:
            turns: list[float] = []
            for each in first:
                wait_s = each.claim(db)
                if wait_s > AHEAD_S:
                    return turns, wait_s - AHEAD_S
                turns.append(time.monotonic() + wait_s)
            return turns, 0.0

        turns, pause_s = await database.write(claimed, durable=False)
        for each, turn in zip(first, turns, strict=False):
            each.turn = turn
            if each in self._waiting:  # else it has given up meanwhile, and its turn goes by
                self._waiting.remove(each)
        if not turns:
            await asyncio.sleep(max(pause_s, _SHORTEST_S))
