"""Equal requests that share one purchase, where that is asked for: `--cache run` and `--cache project`."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Literal

from flowdsl.journal.database import Database

Scope = Literal["run", "project"]
_Key = tuple[bytes, int]


class Sharing:
    """What was bought for which request, as the texts of results: of one run, of one batch, or of all runs of a project
    that are simulated alike. Two that are asked for at once are one purchase as well. A step that asks for several
    equal ones wants several: each has a number, from 0, and shares with those of its number."""

    def __init__(
        self, database: Database, scope: Scope, *, simulated: bool, run: str | None = None, batch: str | None = None
    ) -> None:
        self._database = database
        self._scope = scope
        self._simulated = simulated
        self._run = run
        self._batch = batch
        self._known: dict[_Key, str] = {}
        self._asked: dict[_Key, asyncio.Future[str | None]] = {}

    def known(self, digest: bytes, number: int = 0) -> str | None:
        """The result of an equal request that was paid for.

        Raises:
            JournalError: the journal cannot be read.
        """
        key = digest, number
        if key not in self._known:
            where, value = self._where()
            is_bought = "digest = ? AND number = ? AND state = 'ok' AND result IS NOT NULL"
            query = f"SELECT result FROM ledger WHERE {is_bought} AND {where} ORDER BY began LIMIT 1"
            for row in self._database.read(query, (digest, number, value)):
                self._known[key] = row["result"]
        return self._known.get(key)

    async def turn(self, digest: bytes, number: int = 0) -> str | None:
        """The result of an equal request that is being made; None when it is the caller's turn to make it, who then
        calls `made`."""
        key = digest, number
        while (asked := self._asked.get(key)) is not None:
            result = await asyncio.shield(asked)
            if result is not None:
                return result
        self._asked[key] = asyncio.get_running_loop().create_future()
        return None

    def made(self, digest: bytes, number: int, result: str | None) -> None:
        """A request has its result; None when it failed, and the next one who waits makes it."""
        key = digest, number
        if result is not None:
            self._known[key] = result
        asked = self._asked.pop(key, None)
        if asked is not None and not asked.done():
            asked.set_result(result)

    def _where(self) -> tuple[str, object]:
        if self._scope == "project":
            return "simulated = ?", self._simulated
        if self._batch is not None:
            return "run IN (SELECT id FROM runs WHERE batch = ?)", self._batch
        return "run = ?", self._run


class Siblings:
    """Counts the equal requests of one step at one time it runs."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, bytes]] = Counter()

    def next(self, place: str, digest: bytes) -> int:
        """Which of them the next one is, from 0."""
        self._counts[place, digest] += 1
        return self._counts[place, digest] - 1


def free(result: Any) -> Any:
    """A result that another purchase has paid for."""
    return {**result, "usd": 0.0} if isinstance(result, dict) else result
