"""Bodies of all requests together: how many bytes of them are held, and how long they may still come when the gateway
ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from flowdsl.serve.refusal import Refusal, stopping

MOST_HELD = 512 * 1024 * 1024
"""So many bytes of bodies are held at once, in memory or in files: two of the largest forms."""
GRACE_S = 3.0
"""So long a body may still come when the gateway ends."""


class Reading:
    """The bodies of a gateway."""

    def __init__(self) -> None:
        self.length = 0
        self.is_stopping = False
        self.open: set[asyncio.Timeout] = set()

    def stop(self) -> None:
        """Gives up what does not come soon."""
        self.is_stopping = True
        end = asyncio.get_running_loop().time() + GRACE_S
        for each in self.open:
            each.reschedule(min(end, each.when() or end))


class Held:
    """The body of one request. It counts until `end`, or as long as the work that it is `kept_by`."""

    __slots__ = ("_is_kept", "_length", "_reading")

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._length = 0
        self._is_kept = False

    def take(self, length: int) -> None:
        """Counts bytes that have come.

        Raises:
            Refusal: too many are held.
        """
        self._length += length
        self._reading.length += length
        if self._reading.length > MOST_HELD:
            raise Refusal(
                503,
                "The gateway holds as much of requests as it can; send this one again.",
                kind="service_unavailable_error",
                code="server_is_overloaded",
                headers={"retry-after": "1", "connection": "close"},
            )

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """The time in which the body has to come.

        Raises:
            Refusal: it did not.
        """
        reading = self._reading
        try:
            async with asyncio.timeout(min(seconds, GRACE_S) if reading.is_stopping else seconds) as timeout:
                reading.open.add(timeout)
                try:
                    yield
                finally:
                    reading.open.discard(timeout)
        except TimeoutError:
            raise _given_up() if reading.is_stopping else _too_slow(seconds) from None

    def kept_by(self, work: asyncio.Task[Any]) -> None:
        """The body is held as long as this goes on."""
        self._is_kept = True
        work.add_done_callback(lambda _: self._release())

    def end(self) -> None:
        """The request is over."""
        if not self._is_kept:
            self._release()

    def _release(self) -> None:
        self._reading.length -= self._length
        self._length = 0


def _given_up() -> Refusal:
    found = stopping()
    found.headers["connection"] = "close"
    return found


def _too_slow(seconds: float) -> Refusal:
    message = f"The body did not come within {seconds:g} seconds."
    return Refusal(408, message, code="request_timeout", headers={"connection": "close", "x-should-retry": "false"})
