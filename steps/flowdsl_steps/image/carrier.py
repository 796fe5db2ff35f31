"""Another way for the requests of a run than one by one: whoever performs the effect of a request may name one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.transport import Client
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.request import ImageRequest
    from flowdsl_steps.image.vendor import Endpoint, Vendor


class Carried(NamedTuple):
    """A request that is to be carried: what the sender would need for it. `open_client` makes a client of the kind of
    its connection, which ends with the run."""

    request: ImageRequest
    vendor: Vendor
    endpoint: Endpoint
    store: ImageStore
    image_bytes: int
    open_client: Callable[[], AbstractAsyncContextManager[Client]]


class Carrier(Protocol):
    """Takes requests."""

    async def carry(self, carried: Carried) -> Received | None:
        """What a request brings; None where it does not go this way.

        Raises:
            ServiceError: it failed.
        """
        ...


CARRIER: ContextVar[Carrier | None] = ContextVar("carrier", default=None)


async def carried(
    request: ImageRequest,
    vendor: Vendor,
    endpoint: Endpoint,
    store: ImageStore,
    image_bytes: int,
    open_client: Callable[[], AbstractAsyncContextManager[Client]],
) -> Received | None:
    """What a request brings by the way that is named; None where there is none, or not for it."""
    carrier = CARRIER.get()
    if carrier is None:
        return None
    return await carrier.carry(Carried(request, vendor, endpoint, store, image_bytes, open_client))
