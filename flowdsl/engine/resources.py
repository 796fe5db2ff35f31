"""Things that the steps of runs share: connections, clients, threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

from flowdsl.engine.failures import ODD, is_closed

T = TypeVar("T")


class Resources:
    """Things that steps share: each is opened once, and all are closed together.

    They belong to the event loop in which they were opened: no other loop may use them.
    """

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._opened: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def __aenter__(self) -> Resources:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes them all. What fails at that goes to the event loop's exception handler: runs keep their results."""
        self._locks.clear()
        if not self._opened or is_closed():  # as most runs; where nobody goes on, nothing can be waited for
            return
        self._opened.clear()
        try:
            await self._stack.aclose()
        except ODD as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            loop = asyncio.get_running_loop()
            loop.call_exception_handler({"message": "a thing that steps share failed to close", "exception": error})

    async def get(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """The thing of that key, opened now if it is not open yet; when that fails, the next who asks tries again."""
        if key not in self._opened:
            async with self._locks.setdefault(key, asyncio.Lock()):
                if key not in self._opened:
                    self._opened[key] = await self._stack.enter_async_context(open())
        return self._opened[key]  # type: ignore[no-any-return]  # what was opened for this key is a T
