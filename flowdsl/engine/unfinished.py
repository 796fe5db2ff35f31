"""What a step has left unfinished when it ends: blocks and effects in tasks that nobody waits for, and blocks that
never began. Steps go on, and are paid for, in them; so the step ends when they have, and fails."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Protocol

from flowdsl.errors import StepError

Running = Coroutine[Any, Any, Any]
LOOK_S = 0.01
"""Nothing says when a coroutine ends that somebody else waits for; so it is looked at again after this time."""


class Begun(Protocol):
    """A step, and what it began."""

    step: str
    acting: Sequence[asyncio.Task[Any]]

    def unfinished(self) -> list[Running]:
        """Its blocks that have not ended, or not begun."""
        ...


def is_unfinished(block: Running | None) -> bool:
    """Whether a block has not ended, or not begun."""
    return block is not None and block.cr_frame is not None  # type: ignore[attr-defined]  # of every coroutine


def misused(step: str, what: str, hint: str) -> StepError:
    """The error of a step whose code runs blocks as it must not."""
    return StepError(f"{step} {what}", hint=hint, code="step-crashed")


async def refused(error: StepError) -> NoReturn:
    """Raises the error of a block that does not run. The event loop gets a turn: a step may try again and again."""
    await asyncio.sleep(0)
    raise error


def out_of_place(step: str) -> StepError:
    """The error of a block that runs where its run is not."""
    return misused(
        step or "a step",
        "runs a block after its run has ended, or in a thread of its own",
        "await `ctx.run_block` in `async def run`, and in the tasks that it waits for",
    )


async def settle(step: Begun, *, stop: bool) -> None:
    """Waits until nothing of a step that has ended is at work any more; with `stop`, and when this is cancelled, what
    is at work is cancelled. What is paid for is kept in either way, or in doubt.

    Raises:
        StepError: something was at work, or never began.
    """
    cancelled: asyncio.CancelledError | None = None
    told: set[asyncio.Task[Any]] = set()
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)  # what was put into a task has begun now
    while True:
        blocks = step.unfinished()
        at_work = {*step.acting, *_driving(blocks)} - {asyncio.current_task()}
        if not at_work:
            break
        if stop or cancelled is not None:
            for task in at_work - told:
                task.cancel()
            told |= at_work
        try:
            await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError as error:
            cancelled, told = error, set()
    for block in blocks:
        with suppress(BaseException):  # nobody goes on with it
            block.close()
    if cancelled is not None:
        raise cancelled
    raise misused(
        step.step,
        "ended while something that it began, such as a block, was not done",
        "await what `ctx.run_block` and `ctx.effect` give before `run` returns",
    )


def _driving(blocks: Iterable[Running]) -> Iterable[asyncio.Task[Any]]:
    """The tasks that wait for blocks which have begun."""
    waiting = [block for block in blocks if inspect.getcoroutinestate(block) != inspect.CORO_CREATED]
    for task in asyncio.all_tasks() if waiting else ():
        inner: Any = task.get_coro()
        while inner is not None:
            if any(inner is block for block in waiting):
                yield task
            inner = getattr(inner, "cr_await", None)
