"""A deadline that a process which stands still does not miss by that: what came meanwhile can be read first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_STOOD_STILL_S, _GRACE_S = 1.0, 5.0
"""A deadline that is noticed so much too late says that the process was stopped, or had no time: it goes on for this
long, in which what the system has kept of a response can be read."""


@asynccontextmanager
async def deadline(timeout_s: float) -> AsyncIterator[asyncio.Timeout]:
    """Breaks off what takes longer than that.

    Raises:
        TimeoutError: it did.
    """
    loop = asyncio.get_running_loop()
    at = loop.time() + timeout_s
    async with asyncio.timeout(None) as limit:

        def over() -> None:
            now = loop.time()
            limit.reschedule(now + (_GRACE_S if now - at > _STOOD_STILL_S else 0.0))

        due = loop.call_at(at, over)
        try:
            yield limit
        finally:
            due.cancel()
