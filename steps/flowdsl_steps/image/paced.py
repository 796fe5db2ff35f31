"""The pace of one service for the requests of one endpoint: what settings limit, and what the service says itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from weakref import WeakKeyDictionary

from flowdsl import Pace
from flowdsl_steps.http.allowances import allowances
from flowdsl_steps.http.pause import LONGEST_SERVER_DELAY_S, server_delay_s
from flowdsl_steps.image.vendor import Endpoint

_TOO_OFTEN = 429
_ALL = "all services"
"""The places that all services share: no service has this name with an address."""


_COMING: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()


class Paced:
    """Asks the pace that all processes share on behalf of an endpoint, and tells it what the service says."""

    def __init__(self, pace: Pace, endpoint: Endpoint) -> None:
        self._pace = pace
        self._name = endpoint.paced_as
        self._model = endpoint.label

    def slot(self, most: int | None) -> AbstractAsyncContextManager[None]:
        """A place among the requests at the same time."""
        return self._pace.slot(self._name, most) if most else nullcontext()

    def place_among_all(self, most: int) -> AbstractAsyncContextManager[None]:
        """A place among the requests at the same time to whatever services."""
        return self._pace.slot(_ALL, most)

    def coming(self) -> asyncio.Lock:
        """What the next request to the service holds, of those of one event loop, from its turn until it has a place
        among all services. Any number of them would be sent at once otherwise, when as many places become free."""
        return _COMING.setdefault(asyncio.get_running_loop(), {}).setdefault(self._name, asyncio.Lock())

    async def take(self, pause_s: float, images: int, image_pause_s: float) -> None:
        """Waits until a request may be sent."""
        await self._pace.take(self._name, pause_s, model=self._model, images=images, image_pause_s=image_pause_s)

    def push_back(self, pause_s: float) -> None:
        """Nobody sends a request before so many seconds from now."""
        self._pace.push_back(self._name, pause_s)

    def heard(self, headers: Mapping[str, str]) -> None:
        """A response came, with what it says of what is left."""
        for allowance in allowances(headers):
            self._pace.learn(self._name, self._model, allowance)

    def refused(self, status: int | None, headers: Mapping[str, str]) -> None:
        """A request failed. Where the service says that it is asked too often, all who share the pace wait as long as
        it says."""
        pause_s = server_delay_s(headers) if status == _TOO_OFTEN else None
        if pause_s and pause_s <= LONGEST_SERVER_DELAY_S:  # a longer one nobody waits for
            self.push_back(pause_s)
