"""While another process holds the journal's file, whoever needs it waits, and the event loop goes on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from flowdsl.errors import LimitExceeded
from flowdsl.journal.database import Database
from flowdsl.journal.day_budget import DayBudget, Most
from flowdsl.journal.pace import Pace
from flowdsl.journal.sharing import Sharing
from flowdsl.testing.conformance.budgets import reserve

HOLDER = """
import select, sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
select.select([sys.stdin], [], [], 10)  # not for ever, so that a loop that stands still fails here
"""
TICKS = 20


@contextmanager
def held(path: Path) -> Iterator[Callable[[], None]]:
    """Another process holds a file until the function that this gives is called."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process.stdin.close
        process.kill()


async def ticks_while_held(database: Database, act: Callable[[], Awaitable[Any]]) -> tuple[int, Any]:
    """How often the loop came round before something was done, up to TICKS; then the file is let go of."""
    with held(database.path) as let_go:
        doing = asyncio.ensure_future(act())
        ticks = 0
        while ticks < TICKS and not doing.done():
            await asyncio.sleep(0.01)
            ticks += 1
        let_go()
        return ticks, await doing


def made(folder: Path) -> Database:
    database = Database(folder)
    database.submit(lambda _: None).result()
    return database


def test_a_sum_that_is_set_aside_does_not_stop_the_loop(tmp_path: Path) -> None:
    with made(tmp_path) as database:
        budget = DayBudget(database, Most(1.0, "flowdsl.toml"), clock=lambda: 86_400)
        ticks, _ = asyncio.run(ticks_while_held(database, lambda: budget.reserve(0.4, "S")))
        assert ticks == TICKS
        with pytest.raises(LimitExceeded, match=r"\$0.6000 of the"):
            reserve(budget, 0.7)


def test_a_turn_does_not_stop_the_loop(tmp_path: Path) -> None:
    with made(tmp_path) as database:
        ticks, _ = asyncio.run(ticks_while_held(database, lambda: Pace(database).take("images", 0.01)))
    assert ticks == TICKS


def test_what_only_reads_waits_for_nobody(tmp_path: Path) -> None:
    async def read(database: Database) -> str:
        await Pace(database).take("images", 0)
        assert Sharing(database, "project", simulated=False).known(b"a") is None
        return "read"

    with made(tmp_path) as database:
        ticks, said = asyncio.run(ticks_while_held(database, lambda: read(database)))
    assert said == "read"
    assert ticks < TICKS


def test_who_gives_up_while_the_file_is_held_has_spent_nothing(tmp_path: Path) -> None:
    async def give_up(budget: DayBudget, database: Database) -> None:
        with held(database.path) as let_go:
            doing = asyncio.ensure_future(budget.reserve(0.9, "S"))
            await asyncio.sleep(0.05)
            doing.cancel()
            with suppress(asyncio.CancelledError):
                await doing
            let_go()

    with made(tmp_path) as database:
        budget = DayBudget(database, Most(1.0, "flowdsl.toml"), clock=lambda: 86_400)
        reserve(budget, 0.05).release()
        asyncio.run(give_up(budget, database))
        database.submit(lambda _: None).result()  # what was asked for before is done then
        reserve(budget, 0.9)
