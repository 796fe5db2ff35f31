"""How fast a service may be asked by all who share a journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import pytest

from flowdsl.journal.database import Database
from flowdsl.journal.pace import LONGEST_S, UNPACED_S, Pace


def elapsed(folder: Path, act: Callable[[Pace], Awaitable[None]], clock: Callable[[], float] = time.time) -> float:
    """The seconds that something takes with a pace."""

    async def timed() -> float:
        with Database(folder) as database:
            began = perf_counter()
            await asyncio.wait_for(act(Pace(database, clock)), 60)
            return perf_counter() - began

    return asyncio.run(timed())


@pytest.mark.parametrize("back_s", [0.2, 30, LONGEST_S + 1])
def test_a_clock_that_is_set_back_makes_nobody_wait_for_it_and_keeps_the_pause(back_s: float, tmp_path: Path) -> None:
    back = 0.0

    async def ask(pace: Pace) -> None:
        nonlocal back
        await pace.take("images", 0.15)
        back = back_s
        await pace.take("images", 0.15)
        await pace.take("images", 0.15)

    assert elapsed(tmp_path, ask, lambda: time.time() - back) >= 0.3 - 0.001


def test_whoever_waits_keeps_the_place_in_the_queue(tmp_path: Path) -> None:
    came: list[int] = []

    async def take(pace: Pace, number: int) -> None:
        await pace.take("images", 0.005)
        came.append(number)

    async def ask(pace: Pace) -> None:
        await asyncio.gather(*(take(pace, number) for number in range(64)))

    elapsed(tmp_path, ask)
    assert came == sorted(came)


@pytest.mark.long
def test_a_process_that_stood_still_does_not_send_at_once_what_became_late(tmp_path: Path) -> None:
    times: list[float] = []
    stood_still: list[float] = []

    async def take(pace: Pace) -> None:
        await pace.take("images", 0.02)
        times.append(perf_counter())

    async def watch() -> None:
        while True:
            began = perf_counter()
            await asyncio.sleep(0.005)
            if perf_counter() - began > 0.015:
                stood_still.append(perf_counter())

    async def ask(pace: Pace) -> None:
        asking = [asyncio.ensure_future(take(pace)) for _ in range(30)]
        watching = asyncio.ensure_future(watch())
        await asyncio.sleep(0.1)
        time.sleep(0.3)  # noqa: ASYNC251  that is what it is about
        await asyncio.gather(*asking)
        watching.cancel()

    def at_most(start: float) -> int:
        """Ten in their time, and three that became late each time that it stood still: a busy machine adds some."""
        times_still = sum(start - 0.02 <= each < start + 0.2 for each in stood_still)
        return 10 + 3 * max(times_still, 1)

    elapsed(tmp_path, ask)
    assert len(times) == 30
    assert all(sum(start <= each < start + 0.2 for each in times) <= at_most(start) for start in times)


def test_a_pause_that_a_service_without_a_limit_asks_for_is_heard_here_at_once_and_by_others_a_moment_later(
    tmp_path: Path,
) -> None:
    async def ask(pace: Pace) -> None:
        with Database(tmp_path) as other:
            await pace.take("elsewhere", 0.001)  # makes the file
            for each in (pace, Pace(other)):
                await each.take("images", 0.0)
            pushed = perf_counter()
            pace.push_back("images", 0.3)
            await pace.take("elsewhere", 0.001)  # what is said before is known then
            await pace.take("images", 0.0)
            assert perf_counter() - pushed >= 0.3 - 0.001
            pushed = perf_counter()
            pace.push_back("images", 0.3)
            await pace.take("elsewhere", 0.001)
            await asyncio.sleep(UNPACED_S)
            await Pace(other).take("images", 0.0)
            assert perf_counter() - pushed >= 0.3 - 0.001

    elapsed(tmp_path, ask)


def test_without_a_rate_nobody_waits_and_nothing_is_written(tmp_path: Path) -> None:
    async def ask() -> float:
        with Database(tmp_path) as database:
            began = perf_counter()
            for _ in range(20):
                await Pace(database).take("images", 0.0)
            return perf_counter() - began

    assert asyncio.run(ask()) < 5
    assert not list(tmp_path.iterdir())
