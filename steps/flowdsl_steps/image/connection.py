"""The way to a service of pictures, which all steps of a run share: connections, workers, and how many go at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING

import httpx

from flowdsl.step.service import Service
from flowdsl_steps.http.transport import open_client
from flowdsl_steps.image.workers import Workers

if TYPE_CHECKING:
    from flowdsl import OpenTransport, Pace, StepContext

_WORKERS = 2


class Connection:
    """The shared way to one service: a pooled client, a concurrency limit, at most so many requests a minute.

    `open_another` makes a client of the same kind, for what outlives the run. `workers` take what comes off the loop:
    decoding, hashing and writing pictures.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        workers: Workers,
        concurrency: int | None,
        rate_limit: float | None,
        open_another: Callable[[], contextlib.AbstractAsyncContextManager[httpx.AsyncClient]],
    ) -> None:
        self.client = client
        self.open_another = open_another
        self.workers = workers
        self._slots = asyncio.Semaphore(concurrency) if concurrency else None
        self._interval_s = 60.0 / rate_limit if rate_limit else 0.0
        self._next = 0.0

    @contextlib.asynccontextmanager
    async def turn(self, service: str = "", pace: Pace | None = None) -> AsyncIterator[None]:
        """Wait until a request may be sent, and hold the place while it goes on; with a `pace` other processes count
        for the rate as well."""
        async with self._slots or contextlib.nullcontext():
            if pace is not None:
                await pace.take(service, self._interval_s)
            elif self._interval_s:
                now = time.monotonic()
                at = max(now, self._next)
                self._next = at + self._interval_s
                await asyncio.sleep(at - now)
            yield


@contextlib.asynccontextmanager
async def _opened(
    ca_pem: str | None,
    client_pem: str | None,
    concurrency: int | None,
    rate_limit: float | None,
    open_transport: OpenTransport | None,
) -> AsyncIterator[Connection]:
    """A connection with its client, closed at the end."""
    opens = partial(open_client, ca_pem=ca_pem, client_pem=client_pem, open_transport=open_transport)
    with Workers(_WORKERS) as workers:
        async with opens() as client:
            yield Connection(client, workers, concurrency, rate_limit, opens)


async def connection_to(service: Service, ctx: StepContext) -> Connection:
    """The connection to a service, shared by all steps that use the same entry.

    Raises:
        ConfigError: its certificates cannot be used.
    """
    pem = service.get("caPem"), service.get("clientPem")
    pace = service.get("concurrency"), service.get("rateLimit")
    key = ("image-connection", service.name, service.endpoint, *pem, *pace)
    try:
        return await ctx.resource(key, lambda: _opened(*pem, *pace, ctx.transport))
    except OSError as error:
        from flowdsl_steps.image.pem_check import pem_fault

        raise pem_fault(service, error) from error
