"""Shared things of a run: opened once, closed once, and a failure hangs nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import flowdsl
from flowdsl.engine.resources import Resources


class Door:
    """Counts how often it is opened and closed; fails the first `failures` times."""

    def __init__(self, failures: int = 0, wait: asyncio.Event | None = None) -> None:
        self.failures = failures
        self.wait = wait
        self.log: list[str] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Door]:
        self.log.append("opening")
        await (self.wait.wait() if self.wait else asyncio.sleep(0))
        if self.failures:
            self.failures -= 1
            raise OSError("stuck")
        try:
            yield self
        finally:
            self.log.append("closed")


def test_a_thing_is_opened_once_however_many_ask_at_the_same_time() -> None:
    async def main() -> None:
        door, other = Door(), Door()
        async with Resources() as resources:
            found = await asyncio.gather(*(resources.get("door", door.open) for _ in range(20)))
            assert await resources.get("other", other.open) is other
            assert [thing is door for thing in found] == [True] * 20
        assert (door.log, other.log) == (["opening", "closed"], ["opening", "closed"])

    asyncio.run(main())


def test_an_opening_that_fails_is_tried_again_by_the_next_who_asks() -> None:
    async def main() -> None:
        door = Door(failures=1)
        async with asyncio.timeout(30), Resources() as resources:
            found = await asyncio.gather(*(resources.get("door", door.open) for _ in range(3)), return_exceptions=True)
            assert [repr(thing) if isinstance(thing, OSError) else thing for thing in found] == [
                "OSError('stuck')",
                door,
                door,
            ]
        assert door.log == ["opening", "opening", "closed"]

    asyncio.run(main())


def test_a_waiter_that_is_cancelled_takes_nobody_with_it() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        door = Door(wait=gate)
        async with asyncio.timeout(30), Resources() as resources:
            tasks = [asyncio.create_task(resources.get("door", door.open)) for _ in range(4)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            tasks[2].cancel()
            await asyncio.sleep(0)
            gate.set()
            found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [thing is door for thing in found] == [False, True, False, True]
        assert [type(found[0]), type(found[2])] == [asyncio.CancelledError] * 2
        assert door.log == ["opening", "opening", "closed"]

    asyncio.run(main())


class Opener(flowdsl.Step, name="OPENER", outputs=("text",)):
    """Opens a thing whose closing fails, and one that is closed nevertheless."""

    async def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
        """Opens both, and pays."""
        await ctx.resource("door", _DOOR.open)
        await ctx.resource("stuck", _stuck)
        ctx.spend(0.25)
        return {"text": "made"}


@asynccontextmanager
async def _stuck() -> AsyncIterator[None]:
    yield
    raise OSError("stuck")


_DOOR = Door()


def test_a_thing_whose_closing_fails_does_not_lose_the_result_of_a_finished_run() -> None:
    said: list[Any] = []
    environment = flowdsl.Environment(steps=[Opener])
    flow = environment.load("- step: OPENER\n")

    async def main() -> list[flowdsl.Result]:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context["exception"]))
        results = [await flow.arun()]
        async with environment:
            results.append(await flow.arun())
        return results

    results = asyncio.run(main())
    assert [(result.outputs["text"], result.cost_usd) for result in results] == [("made", 0.25)] * 2
    assert [str(error) for error in said] == ["stuck", "stuck"]
    assert _DOOR.log == ["opening", "closed"] * 2


def test_a_thing_whose_closing_fails_does_not_hide_the_error_of_a_run() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        with pytest.raises(ValueError, match=r"^no$"):
            async with Resources() as resources:
                await resources.get("stuck", _stuck)
                raise ValueError("no")

    asyncio.run(main())


def test_things_are_closed_when_the_run_fails() -> None:
    async def main() -> None:
        door = Door()
        with pytest.raises(ValueError, match=r"^no$"):
            async with Resources() as resources:
                await resources.get("door", door.open)
                raise ValueError("no")
        assert door.log == ["opening", "closed"]

    asyncio.run(main())
