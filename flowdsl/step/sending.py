"""Whether a paid request may be on its way: one that only waits for its turn, or for the end of a pause, is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

RESERVING: ContextVar[Sending | None] = ContextVar("RESERVING", default=None)
"""For which request something is reserved just now."""


class Sending:
    """Is handed to `StepContext.effect` by a step whose requests wait before they are sent: what is broken off
    meanwhile was not bought, and whoever keeps a journal writes down that it begins only when it does.

    `is_out` says whether it may have reached the service.
    """

    def __init__(self) -> None:
        self.is_out = False
        self.reserved: list[Any] = []
        """What is set aside for it in sums that know whether it has begun."""
        self._is_kept_so = False
        self._begin: Callable[[], Awaitable[None]] | None = None
        self._withdraw: Callable[[], None] | None = None

    @contextmanager
    def reserving(self) -> Iterator[None]:
        """What is reserved in this block is for this request: a journal frees it where the process is killed before the
        request begins. So it must begin by `StepContext.effect`, and be settled or released as ever."""
        token = RESERVING.set(self)
        try:
            yield
        finally:
            RESERVING.reset(token)

    async def begins(self) -> None:
        """It is sent as soon as this returns: what must stand in a journal before stands there then.

        Raises:
            RunError: it cannot be written there. Nothing may be sent.
        """
        if not self.is_out:
            if self._begin is not None:
                await self._begin()
            self.is_out = True

    def refused(self) -> None:
        """The service took nothing, and it is sent again after a pause; or it was broken off before anything left."""
        if not self._is_kept_so:
            was_out, self.is_out = self.is_out, False
            if was_out and self._withdraw is not None:  # what has not begun is written nowhere
                self._withdraw()

    def keep_out(self) -> None:
        """Somebody else may send it, or have sent it before: it may have reached the service at any time, unless a door
        heeds when it is sent."""
        self.is_out = self._is_kept_so = True

    def waits(self) -> None:
        """Whoever performs the effect has not begun with it: it waits for an equal one, or for the journal."""
        self.is_out = self._is_kept_so = False

    def heed(self, begin: Callable[[], Awaitable[None]], withdraw: Callable[[], None]) -> None:
        """Has `begin` awaited before each attempt, and `withdraw` called when one was refused and is made again."""
        self._begin, self._withdraw = begin, withdraw
        self.waits()

    def let_go(self) -> None:
        """Nobody heeds it any more: whoever did knows it, and neither is to wait for the collector of garbage."""
        self._begin = self._withdraw = None
