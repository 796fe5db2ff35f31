"""A coroutine run to its end in an event loop of its own: what `asyncio.run` does, at half its price.

Most of that price is the handler of Ctrl-C: the `signal` module looks a handler up by making its text, which for a task
holds the text of its result. Small flows are over before.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def run_in_own_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine. Ctrl-C cancels it, and is raised when it has ended; what it leaves running is
    cancelled too.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    loop = asyncio.new_event_loop()
    swept = False

    async def main() -> T:
        nonlocal swept
        try:
            return await coroutine
        finally:
            await _sweep(loop)
            swept = True

    try:
        return _interruptible(loop, loop.create_task(main()))
    finally:
        try:
            if not swept:  # a second Ctrl-C
                loop.run_until_complete(_sweep(loop))
        finally:
            loop.close()


def _interruptible(loop: asyncio.AbstractEventLoop, task: asyncio.Task[T]) -> T:
    """The result of a task that the first Ctrl-C cancels; the second ends everything."""
    presses = 0

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal presses
        presses += 1
        if presses > 1 or task.done():
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(task.cancel)

    if threading.current_thread() is not threading.main_thread():
        return loop.run_until_complete(task)
    before = signal.signal(signal.SIGINT, on_interrupt)
    if before is not signal.default_int_handler:  # the host has a handler of its own
        signal.signal(signal.SIGINT, before)
    try:
        return loop.run_until_complete(task)
    except asyncio.CancelledError:
        if presses:
            raise KeyboardInterrupt from None
        raise
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


async def _sweep(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what still runs, and closes what the loop holds open."""
    left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    if left:
        for task in left:
            task.cancel()
        for error in await asyncio.gather(*left, return_exceptions=True):
            if isinstance(error, Exception):
                loop.call_exception_handler({"message": "unhandled exception at the end of a run", "exception": error})
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
