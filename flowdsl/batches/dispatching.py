"""Who works on the records of a batch, and on how many of them side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Protocol, TypeVar

R = TypeVar("R")
T = TypeVar("T")
APART_S, ALL_S = 0.003, 0.3
"""So much later than the one before begins each of the first records, and within so long all of them: requests that are
sent together come back together, and would be in each other's way to the end of the batch."""


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
    """The dispatcher of one event loop: works on so many records at a time."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency

    async def dispatch(
        self, records: Iterator[R], work: Callable[[R], Awaitable[T]], is_stopped: Callable[[], bool]
    ) -> AsyncGenerator[T, None]:
        """What comes of the records."""
        queue: asyncio.Queue[tuple[T] | None] = asyncio.Queue(self._concurrency)
        no_more, failures = asyncio.Event(), list[BaseException]()

        async def worker(after_s: float) -> None:
            try:
                if after_s:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(after_s):
                            await no_more.wait()
                while not failures and not is_stopped():
                    taken = next(records, None)
                    if taken is None:
                        no_more.set()
                        break
                    await queue.put((await work(taken),))
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001  of a source of records, or a fault of ours: it ends the batch
                failures.append(error)
            await queue.put(None)

        apart_s = min(APART_S, ALL_S / self._concurrency)
        workers = [asyncio.create_task(worker(number * apart_s)) for number in range(self._concurrency)]
        left = self._concurrency
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
