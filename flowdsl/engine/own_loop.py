"""A coroutine run to its end in an event loop of its own: what `asyncio.run` does, at half its price. `KeptLoops` keeps
such loops, and the connections in them, for the next run.

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

from flowdsl.engine import deadline
from flowdsl.engine.failures import EXITS, ODD, with_result
from flowdsl.engine.resources import Resources
from flowdsl.step.gather import is_held

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

    task = loop.create_task(main())
    try:
        return _interruptible(loop, task)
    except EXITS as error:
        _let_end(loop, task, error)
        raise
    finally:
        _close(loop, swept=swept)


class KeptLoops:
    """Event loops that stay open from run to run, each with the connections that were opened in it.

    A run has one of them for itself, in the thread that called it: there are as many as runs go on at once.
    """

    def __init__(self) -> None:
        self._open: dict[asyncio.AbstractEventLoop, Resources] = {}
        self._free: list[asyncio.AbstractEventLoop] = []
        self._lock = threading.Lock()
        self.is_closed = False

    def resources_of(self, loop: asyncio.AbstractEventLoop) -> Resources | None:
        """The connections that are open in a loop; None when it is none of these."""
        return self._open.get(loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, as `run_in_own_loop`; what it leaves running is cancelled, what it opened stays.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        loop = self._taken()
        again = True

        async def main() -> T:
            try:
                return await coroutine
            finally:
                await _cancel_left(loop)

        task = loop.create_task(main())
        try:
            return _interruptible(loop, task)
        except asyncio.CancelledError:
            again = False  # nobody knows what is left in the loop
            raise
        except EXITS as error:
            again = False
            _let_end(loop, task, error)
            raise
        finally:
            self._give_back(loop, again=again)

    def close(self) -> None:
        """Closes the loops in which nothing runs; a run that is under way ends, and its loop with it."""
        with self._lock:
            self.is_closed = True
            free, self._free = self._free, []
        for loop in free:
            self._dropped(loop)

    def _taken(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._free:
                return self._free.pop()
            loop = asyncio.new_event_loop()
            self._open[loop] = Resources()
        return loop

    def _give_back(self, loop: asyncio.AbstractEventLoop, *, again: bool) -> None:
        with self._lock:
            if again and not self.is_closed:
                self._free.append(loop)
                return
        self._dropped(loop)

    def _dropped(self, loop: asyncio.AbstractEventLoop) -> None:
        resources = self._open.pop(loop)
        try:
            loop.run_until_complete(resources.__aexit__())
        finally:
            _close(loop, swept=False)


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
    except asyncio.CancelledError as cancelled:
        if not presses:
            raise
        interrupt = KeyboardInterrupt()
        with_result(interrupt, getattr(cancelled, "result", None))
        raise interrupt from None
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


def _let_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], error: BaseException) -> None:
    """Cancels a task that an exit has left in the middle, by a second Ctrl-C or from another task, waits for it, and
    gives the exit the result as far as it came."""
    if task.done():
        if not task.cancelled():
            task.exception()  # is read, as nobody else will
        return
    task.cancel()
    try:
        result = loop.run_until_complete(task)
    except ODD as ended:  # it has ended after all
        result = getattr(ended, "result", None)
    with_result(error, result)


def _close(loop: asyncio.AbstractEventLoop, *, swept: bool) -> None:
    try:
        if not swept:
            loop.run_until_complete(_sweep(loop))
    finally:
        loop.close()


async def _sweep(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what still runs, and closes what the loop holds open."""
    await _cancel_left(loop)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


async def _cancel_left(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what still runs, and waits for it; but not for what goes on all the same."""
    left = asyncio.all_tasks(loop) - {asyncio.current_task()}
    ended: set[asyncio.Task[Any]] = set()
    cancelled = 0
    while left and (cancelled < 2 or is_held(loop)):
        for task in left:
            task.cancel()
        cancelled += 1
        done, left = await asyncio.wait(left, timeout=deadline.AGAIN_S)
        ended |= done
    for task in left:
        deadline.leave(task)
    for task in ended:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            loop.call_exception_handler({"message": "unhandled exception at the end of a run", "exception": error})
