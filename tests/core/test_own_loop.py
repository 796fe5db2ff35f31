"""A run in an event loop of its own: its result, Ctrl-C, and what it must not leave behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from flowdsl.engine.own_loop import run_in_own_loop

INTERRUPTED = """
import asyncio, os, signal, threading
from flowdsl.engine.own_loop import run_in_own_loop

async def work():
    threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
    try:
        await asyncio.sleep(30)
    finally:
        await asyncio.sleep(0)
        print("cleaned up")

try:
    run_in_own_loop(work())
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_the_result_and_the_error_of_a_coroutine_come_through() -> None:
    async def fail() -> None:
        raise ValueError("no")

    assert run_in_own_loop(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match=r"^no$"):
        run_in_own_loop(fail())


def test_ctrl_c_cancels_the_coroutine_and_is_raised_when_it_has_ended() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=20, check=False)
    assert (done.stdout, done.stderr) == ("cleaned up\ninterrupted True\n", "")


def test_a_handler_of_the_host_stays() -> None:
    def own(number: int, frame: object) -> None:
        return None

    before = signal.signal(signal.SIGINT, own)
    try:
        assert run_in_own_loop(asyncio.sleep(0, signal.getsignal(signal.SIGINT))) is own
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_a_coroutine_leaves_running_is_cancelled_and_closed() -> None:
    seen: list[str] = []

    async def left() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            seen.append("closed")

    async def main() -> None:
        keep.append(asyncio.create_task(left()))
        generator = numbers()
        keep.append(generator)
        await anext(generator)
        await asyncio.sleep(0)  # a thread that is over soon lets no other task begin
        await asyncio.to_thread(seen.append, "in a thread")

    keep: list[object] = []
    run_in_own_loop(main())
    assert seen == ["in a thread", "cancelled", "closed"]


def test_it_runs_in_any_thread() -> None:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(run_in_own_loop(asyncio.sleep(0, "there"))))
    thread.start()
    thread.join(10)
    assert found == ["there"]
