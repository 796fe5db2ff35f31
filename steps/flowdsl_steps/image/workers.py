"""Threads that take decoding, hashing and writing off the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType


class _Job:
    """One call, and the future on its loop that waits for it."""

    __slots__ = ("_chunk", "_error", "_future", "_loop", "_take")

    def __init__(self, take: Callable[[bytes], None], chunk: bytes) -> None:
        self._take = take
        self._chunk = chunk
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()
        self._error: BaseException | None = None

    def work(self) -> None:
        try:
            self._take(self._chunk)
        except (StopIteration, GeneratorExit) as error:  # nothing that is awaited can raise them
            self._error = RuntimeError(f"{type(error).__name__} in a worker")
        except BaseException as error:  # noqa: BLE001  raised again on the loop, where the caller waits
            self._error = error
        self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if self._future.done():
            return
        if self._error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(self._error)

    async def done(self) -> None:
        await self._future


class Workers:
    """A few threads for many small calls, as a context manager.

    An executor's futures with their locks cost a seventh of the throughput here.
    """

    def __init__(self, count: int) -> None:
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name="flowdsl-images", daemon=True) for _ in range(count)]

    async def call(self, take: Callable[[bytes], None], chunk: bytes) -> None:
        """Run `take(chunk)` in a thread and wait for it. A cancelled caller does not stop what runs already."""
        job = _Job(take, chunk)
        self._queue.put(job)
        await job.done()

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job.work()

    def __enter__(self) -> Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
