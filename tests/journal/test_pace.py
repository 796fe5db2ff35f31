"""How fast a service may be asked by all who share a journal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter

import pytest

from flowdsl.journal.database import Database
from flowdsl.journal.pace import LONGEST_S, Pace


def waits(folder: Path, asked: list[tuple[float, float]], *, push: tuple[float, float] | None = None) -> list[float]:
    """How long each would wait who asks at a time for a pause, by a clock that this test holds."""
    now, found = 0.0, []

    async def ask() -> None:
        nonlocal now
        with Database(folder) as database:
            pace = Pace(database, lambda: now)
            for at, pause_s in asked:
                now = at
                if push is not None and at >= push[0]:
                    pace.push_back("images", push[1])
                task = asyncio.ensure_future(pace.take("images", pause_s))
                await asyncio.wait([task], timeout=0.2)
                rows = database.read("SELECT at FROM pace")
                found.append(round(rows[0]["at"] - now - pause_s, 6) if rows else 0.0)
                task.cancel()

    asyncio.run(ask())
    return found


def test_each_waits_for_the_one_before(tmp_path: Path) -> None:
    assert waits(tmp_path, [(1000, 0.5), (1000, 0.5), (1000.2, 0.5), (1010, 0.5)]) == [0, 0.5, 0.8, 0]


@pytest.mark.parametrize("back_s", [0.2, 30, LONGEST_S + 1])
def test_a_clock_that_is_set_back_makes_nobody_wait_for_it_and_keeps_the_pause(back_s: float, tmp_path: Path) -> None:
    assert waits(tmp_path, [(10_000, 0.5), (10_000 - back_s, 0.5), (10_000 - back_s, 0.5)]) == [0, 0.5, 1]


def test_whoever_waits_longer_than_any_pause_keeps_the_place_in_the_queue(tmp_path: Path) -> None:
    assert waits(tmp_path, [(10_000, 300)] * 5) == [0, 300, 600, 900, 1200]


def test_a_service_that_asks_for_a_pause_gets_it_of_everybody(tmp_path: Path) -> None:
    assert waits(tmp_path, [(1000, 0.5)], push=(1000, 30)) == [30]


def test_without_a_rate_nobody_waits_and_nothing_is_written(tmp_path: Path) -> None:
    async def ask() -> float:
        with Database(tmp_path) as database:
            began = perf_counter()
            for _ in range(20):
                await Pace(database).take("images", 0.0)
            return perf_counter() - began

    assert asyncio.run(ask()) < 5
    assert not list(tmp_path.iterdir())
