"""SIGTERM and SIGHUP end a run as Ctrl-C does: it cleans up, and gives account."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from types import FrameType

T = TypeVar("T")


class Terminated(BaseException):
    """The process was asked to end; `signal` is the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def ignore_interrupts() -> None:
    """What Ctrl-C has ended gives account; pressed again, it would cut that short, and end the process with a traceback
    and another exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # in another thread than the main one nobody presses it
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def heed_interrupts() -> None:
    """Ctrl-C ends what runs again."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.default_int_handler)


_DEAF_S = 1.0
"""An event loop that has not heard of Ctrl-C for so long is held by something."""


@contextmanager
def _interrupts_to(loop: AbstractEventLoop, end: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C is heard in the event loop, however often it is pressed. The second one of asyncio raises where it hits
    the loop, which may then never wake who waits: the process does not end. A loop that hears nothing is broken off."""
    pressed: float | None = None

    def heard() -> None:
        nonlocal pressed
        pressed = None
        end()

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        now = time.monotonic()
        if pressed is None:
            pressed = now
            loop.call_soon_threadsafe(heard)
        elif now > pressed + _DEAF_S:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, which Ctrl-C, SIGTERM and SIGHUP cancel.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the coroutine has ended.
        Terminated: one of the others came; the coroutine has ended.
    """
    import asyncio

    loop, task, came = asyncio.get_running_loop(), asyncio.ensure_future(work), list[int]()
    wakes_loop = False

    def end(number: int) -> None:
        came.append(number)
        task.cancel()

    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP, and no such handlers
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, end, number)
                wakes_loop = True
    try:
        with _interrupts_to(loop, lambda: end(signal.SIGINT)):
            return await task
    except asyncio.CancelledError:
        if came and came[0] == signal.SIGINT:
            raise KeyboardInterrupt from None
        if came:
            raise Terminated(came[0]) from None
        raise
    finally:
        # A loop closes the pipe that signals wake it by before it takes its handlers back: a signal in between, or for
        # good when a second Ctrl-C ends the closing there, would print a traceback about that pipe.
        if wakes_loop:
            signal.set_wakeup_fd(-1)
