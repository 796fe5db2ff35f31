"""SIGTERM and SIGHUP end a run as Ctrl-C does: it cleans up, and gives account."""

from __future__ import annotations

import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

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


async def until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, which SIGTERM and SIGHUP cancel.

    Raises:
        Terminated: one of them came; the coroutine has ended.
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
        return await task
    except asyncio.CancelledError:
        if came:
            raise Terminated(came[0]) from None
        raise
    finally:
        # A loop closes the pipe that signals wake it by before it takes its handlers back: a signal in between, or for
        # good when a second Ctrl-C ends the closing there, would print a traceback about that pipe.
        if wakes_loop:
            signal.set_wakeup_fd(-1)
