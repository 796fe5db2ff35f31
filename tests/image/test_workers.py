from __future__ import annotations

import asyncio
import threading

import pytest

from flowdsl_steps.image.workers import Workers


def test_calls_run_in_threads_and_errors_come_back() -> None:
    names: list[str] = []

    def take(chunk: bytes) -> None:
        names.append(threading.current_thread().name)
        if chunk == b"bad":
            raise ValueError("no")

    async def run() -> None:
        with Workers(2) as workers:
            await asyncio.gather(*(workers.call(take, b"good") for _ in range(20)))
            with pytest.raises(ValueError, match="no"):
                await workers.call(take, b"bad")

    asyncio.run(run())
    assert names == ["flowdsl-images"] * 21


def test_closing_waits_for_what_runs_after_its_caller_was_cancelled() -> None:
    started, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def take(chunk: bytes) -> None:
        started.set()
        may_end.wait(30)
        ended.set()

    async def run() -> None:
        with Workers(1) as workers:
            task = asyncio.create_task(workers.call(take, b""))
            await asyncio.to_thread(started.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            may_end.set()

    asyncio.run(run())
    assert ended.is_set()
