"""The pace on SQLite is a pace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowdsl import Pace
from flowdsl.journal.database import Database
from flowdsl.journal.pace import Pace as PaceOnSqlite
from flowdsl.testing.conformance import PaceConformance

HOLDER = """
import asyncio, pathlib
from flowdsl.journal.database import Database
from flowdsl.journal.pace import Pace

async def hold():
    async with Pace(Database(pathlib.Path({folder!r}))).slot("images", 1):
        print("taken", flush=True)
        await asyncio.sleep(600)

asyncio.run(hold())
"""


class TestPaceOnSqlite(PaceConformance):
    @contextmanager
    def opened(self, folder: Path) -> Iterator[Pace]:
        with Database(folder / "state") as database:
            yield PaceOnSqlite(database)

    def holder(self, folder: Path) -> str:
        return HOLDER.format(folder=str(folder / "state"))
