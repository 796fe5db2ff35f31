"""Who works on the records of a batch, and on how many of them side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Protocol, TypeVar

R = TypeVar("R")
T = TypeVar("T")
APART_S, ALL_S = 0.003, 0.3
"""So much later than the one before begins each of the first records, and within so long all of them: requests that are
sent together come back together, and would be in each other's way to the end of the batch."""

ROOM: ContextVar[Callable[[], None] | None] = ContextVar("room", default=None)
"""Is called in the work on a record when all that is left is to write down what became of it: another may begin."""
MOST_AT_ONCE = 100_000
"""More records than that are worked on at once by nobody: each holds memory from the beginning."""
_SHARE = 8
"""While so many are worked on, one more may be written down."""


class Dispatcher(Protocol):
    """Works on the records of a batch: `flowdsl.batch(dispatcher=…)`."""

    def dispatch(
        self, records: Iterator[R], work: Callable[[R], Awaitable[T]], is_stopped: Callable[[], bool]
    ) -> AsyncGenerator[T, None]:
        """What `work` gives of each record, as it comes. A record is taken when there is room for it and somebody takes
        what comes, and worked on once; none is taken any more when it `is_stopped`, or when the records or `work` have
        raised: that is raised when those that go on have ended. Whoever closes the iterator cancels them."""
        ...


class SideBySide:
    """The dispatcher of one event loop: works on so many records at a time, those not counted for which there is `ROOM`
    already."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency

    async def dispatch(
        self, records: Iterator[R], work: Callable[[R], Awaitable[T]], is_stopped: Callable[[], bool]
    ) -> AsyncGenerator[T, None]:
        """What comes of the records."""
        queue: asyncio.Queue[tuple[T] | None] = asyncio.Queue(self._concurrency)
        no_more, failures = asyncio.Event(), list[BaseException]()
        places = asyncio.Semaphore(self._concurrency)

        async def worked_on(record: R) -> T:
            """Holds a place until there is room for another record."""
            left = [places.release]
            ROOM.set(lambda: left.pop()() if left else None)
            try:
                return await work(record)
            finally:
                for release in left:
                    release()

        async def worker(after_s: float) -> None:
            try:
                if after_s:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(after_s):
                            await no_more.wait()
                while True:
                    await places.acquire()
                    taken = None if failures or is_stopped() else next(records, None)
                    if taken is None:
                        places.release()
                        no_more.set()
                        break
                    await queue.put((await worked_on(taken),))
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001  of a source of records, or a fault of ours: it ends the batch
                failures.append(error)
            await queue.put(None)

        apart_s = min(APART_S, ALL_S / self._concurrency)
        left = self._concurrency + self._concurrency // _SHARE
        workers = [asyncio.create_task(worker(number * apart_s)) for number in range(left)]
        try:
            while left:
                came = await queue.get()
                if came is None:
                    left -= 1
                else:
                    yield came[0]
            if failures:
                raise failures[0]
        finally:
            for each in workers:
                each.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
