"""Equal requests that share one purchase, where that is asked for: `--cache run` and `--cache project`."""

from __future__ import annotations

import asyncio
from typing import Literal

from flowdsl.journal.database import Database

Scope = Literal["run", "project"]


class Sharing:
    """What was bought for which request, as the texts of results: of one run, of one batch, or of all runs of a project
    that are simulated alike. Two that are asked for at once are one purchase as well.

    A step that sends `n: 2` as two equal requests wants two pictures: what is shared has a `number`, which of the equal
    requests of one execution it is, and is the purchase of that number."""

    def __init__(
        self, database: Database, scope: Scope, *, simulated: bool, run: str | None = None, batch: str | None = None
    ) -> None:
        self._database = database
        self._scope = scope
        self._simulated = simulated
        self._run = run
        self._batch = batch
        self._known: dict[tuple[bytes, int], str] = {}
        self._asked: dict[tuple[bytes, int], asyncio.Future[str | None]] = {}

    def known(self, digest: bytes, number: int = 0) -> str | None:
        """The result of an equal request that was paid for.

        Raises:
            JournalError: the journal cannot be read.
        """
        if (digest, number) not in self._known:
            where, value = self._where()
            query = f"SELECT result FROM ledger WHERE digest = ? AND state = 'ok' AND result IS NOT NULL AND {where}"
            for row in self._database.read(f"{query} ORDER BY began LIMIT 1 OFFSET ?", (digest, value, number)):
                self._known[digest, number] = row["result"]
        return self._known.get((digest, number))

    async def turn(self, digest: bytes, number: int) -> str | None:
        """The result of an equal request that is being made; None when it is the caller's turn to make it, who then
        calls `made`."""
        while (asked := self._asked.get((digest, number))) is not None:
            result = await asyncio.shield(asked)
            if result is not None:
                return result
        self._asked[digest, number] = asyncio.get_running_loop().create_future()
        return None

    def made(self, digest: bytes, number: int, result: str | None) -> None:
        """A request has its result; None when it failed, and the next one who waits makes it."""
        if result is not None:
            self._known[digest, number] = result
        asked = self._asked.pop((digest, number), None)
        if asked is not None and not asked.done():
            asked.set_result(result)

    def _where(self) -> tuple[str, object]:
        if self._scope == "project":
            return "simulated = ?", self._simulated
        if self._batch is not None:
            return "run IN (SELECT id FROM runs WHERE batch = ?)", self._batch
        return "run = ?", self._run
