"""A process that stood still reads what came meanwhile before it says that it came too late."""

from __future__ import annotations

import asyncio
import time

import pytest

from flowdsl_steps.http import deadline as deadlines
from flowdsl_steps.http.deadline import deadline


def test_what_came_while_the_process_stood_still_is_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "_STOOD_STILL_S", 0.05)

    async def slow() -> str:
        asyncio.get_running_loop().call_soon(time.sleep, 0.2)
        async with deadline(0.02):
            await asyncio.sleep(0.1)
            return "came"

    assert asyncio.run(slow()) == "came"


@pytest.mark.parametrize("stands_still_s", [0.0, 0.2])
def test_what_never_comes_is_too_late(stands_still_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "_STOOD_STILL_S", 0.05)
    monkeypatch.setattr(deadlines, "_GRACE_S", 0.05)

    async def slow() -> None:
        asyncio.get_running_loop().call_soon(time.sleep, stands_still_s)
        async with deadline(0.02):
            await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        asyncio.run(slow())


def test_a_cancellation_from_outside_stays_one() -> None:
    async def act() -> None:
        async def work() -> None:
            async with deadline(30):
                await asyncio.sleep(30)

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(act())
