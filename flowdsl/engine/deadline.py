"""The deadline of a run: it holds for steps too that catch their cancellation and go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, cast

from flowdsl.step.gather import is_held

AGAIN_S = 5.0
"""What is cancelled has this long to clean up; then it is cancelled again, and left where it is when it goes on even
then."""


class PastDeadline(Exception):
    """The time of some work is up."""


async def within(timeout_s: float, work: Coroutine[Any, Any, None]) -> None:
    """Does some work, and cancels it when its time is up.

    Raises:
        PastDeadline: its time was up.
    """
    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    before, times = task.cancelling(), 0
    timer = loop.call_later(timeout_s, lambda: expire())

    def expire() -> None:
        nonlocal times, timer
        times += 1
        task.cancel()
        timer = loop.call_later(AGAIN_S, expire)

    cancelled: asyncio.CancelledError | None = None
    try:
        await _driven(work, lambda: times > 1 and not is_held(loop))
    except asyncio.CancelledError as error:
        cancelled = error
    finally:
        timer.cancel()
        left = task.cancelling()
        for _ in range(times):
            left = task.uncancel()
    if cancelled is not None:
        if times and left <= before:
            raise PastDeadline from cancelled
        raise cancelled


def leave(running: object) -> None:
    """Keeps what is left in the middle for as long as the process lives: Python would close it, and it goes on then
    too, perhaps for ever."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(running))


@coroutine
def _driven(work: Coroutine[Any, Any, None], is_given_up: Callable[[], bool]) -> Generator[Any, Any, None]:
    """Awaits some work, and leaves it in the middle when it is cancelled and given up."""
    error: BaseException | None = None
    while True:
        try:
            awaited = work.send(None) if error is None else work.throw(error)
        except StopIteration:
            return
        try:
            yield awaited
            error = None
        except GeneratorExit:  # nobody runs this any more
            work.close()
            raise
        except BaseException as thrown:
            if isinstance(thrown, asyncio.CancelledError) and is_given_up():
                leave(work)
                raise
            error = thrown
