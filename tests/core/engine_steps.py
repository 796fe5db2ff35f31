"""Steps that the tests of the engine run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

from flowdsl import (
    Environment,
    Event,
    FlowFinished,
    Port,
    Step,
    StepContext,
    StepError,
    Written,
)
from flowdsl.events import PLACE

LOG: dict[str, list[str]] = {}
"""What the resources of these steps did, by the name each test gives."""


@asynccontextmanager
async def logged(log: str) -> AsyncIterator[str]:
    LOG.setdefault(log, []).append("opened")
    try:
        yield "open"
    finally:
        LOG[log].append("closed")


class Echo(Step, name="ECHO", inputs=("text",), outputs=("text", Port("object", optional=True)), writes_to="key"):
    """Return a text, at once."""

    say: str | None = None
    """The text; the input when absent."""
    key: str = "text"
    """Where it goes."""

    def run(self, ctx: StepContext) -> Written:
        ctx.progress("echoing", 1, 2)
        ctx.note("echo", "a note", {"n": 1})
        ctx.spend(0.25)
        return {"text": self.say or ctx.input("text"), "object": {"asked": list(ctx.outputs)}}


class Wait(Step, name="WAIT", outputs=("text",)):
    """Wait with a shared thing open."""

    seconds: float = 0.0
    """How long."""
    log: str = "nobody"
    """Where to log."""
    say: str = "waited"
    """What to return."""

    async def run(self, ctx: StepContext) -> Written:
        await ctx.resource(("thing", self.log), lambda: logged(self.log))
        await asyncio.sleep(self.seconds)
        return {"text": self.say}


class Busy(Step, name="BUSY"):
    """Compute for a while without waiting."""

    def run(self, ctx: StepContext) -> Written:
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        return None


class Fail(Step, name="FAIL", outputs=("text",)):
    """Fail in one of several ways."""

    how: str
    """Which."""

    def run(self, ctx: StepContext) -> Written:
        if self.how == "crash":
            raise ValueError("no such colour")
        if self.how == "timeout":
            raise TimeoutError("too slow")
        if self.how == "undeclared":
            return {"image": 1}
        raise StepError("cannot draw", hint="draw less")


async def until_opened(log: str) -> None:
    async with asyncio.timeout(10):
        while log not in LOG:  # noqa: ASYNC110  the step that opens runs in the loop as well
            await asyncio.sleep(0)


STEPS = (Echo, Wait, Busy, Fail)


def environment(**options: Any) -> Environment:
    return Environment(steps=STEPS, **options)


def shown(event: Event) -> tuple[Any, ...]:
    """An event without run and times: its kind, place and facts."""
    facts = [getattr(event, field.name) for field in fields(event) if field.name not in HIDDEN]
    place = () if isinstance(event, FlowFinished) else (event.step, event.path)
    return (type(event).__name__, *place, *facts)


HIDDEN = ("tags", *PLACE, "at_s", "elapsed_s", "images", "in_doubt", "reused", "failed")
