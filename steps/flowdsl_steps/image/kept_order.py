"""What of an order is kept outside the process, so that its picture can be asked for later."""

from __future__ import annotations

from urllib.parse import urlsplit

from flowdsl.errors import ConfigError
from flowdsl.secrets.plain import HIDDEN
from flowdsl.step.ordering import ORDERING
from flowdsl_steps.http.excerpt import harmless
from flowdsl_steps.image.received import Received
from flowdsl_steps.image.retry import FailedAttempt, Order
from flowdsl_steps.image.vendor import Endpoint, Vendor, is_host_of

_FACTS = ("payload", "usage", "size", "quality", "finish_reason", "cost_usd", "request_id")
_TAKEN_AT = "taken_at"
_GONE = frozenset({404, 410})


async def earlier_order(vendor: Vendor, endpoint: Endpoint) -> Received | None:
    """The response with which an order was taken in an earlier attempt of the run, once; None where nobody knows it, or
    has asked for it: another is ordered, and that is what is asked for from then on.

    Raises:
        ConfigError: it was taken elsewhere, so nobody knows it where the service goes now. It is kept.
    """
    ordering = ORDERING.get()
    kept = None if ordering is None else ordering.earlier()
    if kept is None:
        await forget_order()
        return None
    received = Received(**{name: kept[name] for name in _FACTS if name in kept})
    taken_at = kept.get(_TAKEN_AT)
    if isinstance(taken_at, str) and HIDDEN not in taken_at and taken_at != _place(endpoint):
        _check_is_known(received, taken_at, vendor, endpoint)
    return received


def _check_is_known(received: Received, taken_at: str, vendor: Vendor, endpoint: Endpoint) -> None:
    """Raises ConfigError unless the vendor has said itself, of one of its own hosts, where the order is asked for."""
    before, now = (vendor.next(received, endpoint._replace(url=url)) for url in (taken_at, endpoint.url))
    if before is None or now is None:
        return
    if before.request.url == now.request.url and is_host_of(vendor, urlsplit(now.request.url).hostname or ""):
        return
    order = Order(before.request.url, received.request_id).described(endpoint)
    error = ConfigError(
        f"{endpoint.service} goes to {harmless(_place(endpoint), endpoint.secrets)} now, where nobody knows what was "
        f"ordered at {harmless(taken_at, endpoint.secrets)}",
        hint=f"put `endpoint` and other settings of {endpoint.service} back as they were when the run began, and "
        f"resume it; {order}",
    )
    error.charge_possible = True
    raise error


async def keep_order(received: Received, endpoint: Endpoint) -> None:
    """Keeps the response with which an order was taken. Where it has pictures it is the result already, and not
    kept."""
    ordering = ORDERING.get()
    if ordering is not None and not received.images:
        facts = {name: getattr(received, name) for name in _FACTS}
        await ordering.keep({**facts, _TAKEN_AT: _place(endpoint)})


async def forget_order() -> None:
    """Whatever was ordered is not asked for any more."""
    ordering = ORDERING.get()
    if ordering is not None:
        await ordering.forget()


def is_gone(failure: FailedAttempt) -> bool:
    """Whether the service has said what became of an order, or that it knows none: asked again it says the same."""
    return failure.status in _GONE or (failure.kind == "response" and failure.vendor is not None)


def _place(endpoint: Endpoint) -> str:
    """Where orders are taken."""
    return Order(endpoint.url, None).address
