"""The way to a service of pictures, which all steps of a run share: connections, workers, and how many go at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl_steps.http.transport import Client, open_client
from flowdsl_steps.image.workers import Workers

if TYPE_CHECKING:
    from flowdsl import OpenTransport, StepContext
    from flowdsl_steps.image.paced import Paced

Begins = Callable[[], Awaitable[None]]
_WORKERS = 2
_ROOM = 1.02
"""The pauses of a rate are so much longer than it asks for: no two requests take the same time on their way, and of 20
a second sent at exactly that rate 21 arrive in some seconds, or 22 where one is late."""

_LATE_S = 0.005
"""Whoever waits longer than this for a place among all services comes later than its turn at the own one."""
_LATE_BEGIN_S = 0.03
"""The same of a journal that takes longer to write down that the request begins."""


class Connection:
    """The shared way to one service: a pooled client, a concurrency limit, at most so many requests a minute, and a
    concurrency limit over `all_services` (None: there is none).

    `open_another` makes a client of the same kind, for what outlives the run. `workers` take what comes off the loop:
    decoding, hashing and writing pictures.
    """

    def __init__(
        self,
        client: Client,
        workers: Workers,
        concurrency: int | None,
        rate_limit: float | None,
        open_another: Callable[[], contextlib.AbstractAsyncContextManager[Client]],
        image_rate_limit: float | None = None,
        all_services: AllServices | None = None,
    ) -> None:
        self.client = client
        self.open_another = open_another
        self.workers = workers
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency) if concurrency else None
        self._all_services = all_services
        self._interval_s = _pause_s(rate_limit)
        self._image_interval_s = _pause_s(image_rate_limit)
        self._next = self._next_image = 0.0
        self._coming = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def turn(
        self, images: int = 1, paced: Paced | None = None, begins: Begins | None = None
    ) -> AsyncIterator[None]:
        """Wait until a request for so many images may be sent, and hold the place while it goes on; where it is `paced`
        other processes count as well. `begins` is awaited when its turn has come: what that fails at sends nothing."""
        own = contextlib.nullcontext() if paced is None else paced.slot(self._concurrency)
        async with self._slots or contextlib.nullcontext(), own:
            if self._all_services is None:
                await self._own_turn(images, paced)
                await self._begun(begins, images, paced)
                yield
                return
            async with contextlib.AsyncExitStack() as place:
                # the last one to be taken: who has it waits neither for another place nor for a slow service
                async with self._coming if paced is None else paced.coming():
                    await self._own_turn(images, paced)
                    began = time.monotonic()
                    await place.enter_async_context(self._all_services.place(paced))
                    if time.monotonic() - began > _LATE_S:
                        self._come_late(images, paced)
                await self._begun(begins, images, paced)
                yield

    async def _own_turn(self, images: int, paced: Paced | None) -> None:
        """Waits for the rate of the service."""
        if paced is None:
            await self._pause(images)
        else:
            await paced.take(self._interval_s, images, self._image_interval_s)

    async def _begun(self, begins: Begins | None, images: int, paced: Paced | None) -> None:
        """Has it written down that a request begins."""
        if begins is None:
            return
        began = time.monotonic()
        await begins()
        if time.monotonic() - began > _LATE_BEGIN_S:
            self._come_late(images, paced)

    def _come_late(self, images: int, paced: Paced | None) -> None:
        """A request is sent later than its turn came: the pause after it begins now."""
        pause_s = max(self._interval_s, self._image_interval_s * images)
        if paced is None:
            self._next = max(self._next, time.monotonic() + pause_s)
        elif pause_s:
            paced.push_back(pause_s)

    async def _pause(self, images: int) -> None:
        """Waits for the rate of this process alone."""
        if not (self._interval_s or self._image_interval_s):
            return
        now = time.monotonic()
        at = max(now, self._next, self._next_image)
        self._next = max(now, self._next) + self._interval_s
        self._next_image = max(now, self._next_image) + self._image_interval_s * images
        await asyncio.sleep(at - now)


class AllServices:
    """The places of requests that go at the same time, whatever services they are for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of_run = asyncio.Semaphore(most)

    def place(self, paced: Paced | None) -> contextlib.AbstractAsyncContextManager[None]:
        """One of them: among all processes where it is `paced`, else among those of the run."""
        return self._of_run if paced is None else paced.place_among_all(self._most)


@contextlib.asynccontextmanager
async def _all_services(most: int) -> AsyncIterator[AllServices]:
    yield AllServices(most)


def _pause_s(per_minute: float | None) -> float:
    """The pause between two of so many a minute; 0 where nobody limits them."""
    return _ROOM * 60.0 / per_minute if per_minute else 0.0


@contextlib.asynccontextmanager
async def _opened(
    ca_pem: str | None,
    client_pem: str | None,
    concurrency: int | None,
    rate_limit: float | None,
    image_rate_limit: float | None,
    open_transport: OpenTransport | None,
    all_services: AllServices | None,
) -> AsyncIterator[Connection]:
    """A connection with its client, closed at the end."""
    opens = partial(open_client, ca_pem=ca_pem, client_pem=client_pem, open_transport=open_transport)
    with Workers(_WORKERS) as workers:
        async with opens() as client:
            yield Connection(client, workers, concurrency, rate_limit, opens, image_rate_limit, all_services)


async def connection_to(service: Service, ctx: StepContext) -> Connection:
    """The connection to a service, shared by all steps that use the same entry.

    Raises:
        ConfigError: its certificates cannot be used, or the host lets no request go.
    """
    pem = service.get("caPem"), service.get("clientPem")
    pace = service.get("concurrency"), service.get("rateLimit"), service.get("imageRateLimit")
    key = ("image-connection", service.name, service.endpoint, *pem, *pace)
    most, among = ctx.limits.concurrency, None
    if most is not None:
        if most < 1:
            raise ConfigError(f"Limits(concurrency={most!r}) must be from 1 on", code="out-of-range")
        among = await ctx.resource(("image-concurrency",), lambda: _all_services(most))
    try:
        return await ctx.resource(key, lambda: _opened(*pem, *pace, ctx.transport, among))
    except OSError as error:
        from flowdsl_steps.image.pem_check import pem_fault

        raise pem_fault(service, error) from error
