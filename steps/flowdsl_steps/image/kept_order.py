"""What of an order is kept outside the process, so that its picture can be asked for later."""

from __future__ import annotations

from flowdsl.step.ordering import ORDERING
from flowdsl_steps.image.received import Received
from flowdsl_steps.image.retry import FailedAttempt
from flowdsl_steps.image.vendor import Poll

_FACTS = ("payload", "usage", "size", "quality", "finish_reason", "cost_usd", "request_id")
_GONE = frozenset({404, 410})


async def earlier_order() -> Received | None:
    """The response with which an order was taken in an earlier attempt of the run, once; None where nobody knows it, or
    has asked for it: another is ordered, and that is what is asked for from then on."""
    ordering = ORDERING.get()
    kept = None if ordering is None else ordering.earlier()
    if kept is None:
        await forget_order()
        return None
    return Received(**{name: kept[name] for name in _FACTS if name in kept})


async def keep_order(received: Received, poll: Poll) -> None:
    """Keeps the response with which an order was taken. Where it has pictures, or names those that are made, it is the
    result already, and not kept."""
    ordering = ORDERING.get()
    if ordering is not None and not received.images and not poll.is_made:
        await ordering.keep({name: getattr(received, name) for name in _FACTS})


async def forget_order() -> None:
    """Whatever was ordered is not asked for any more."""
    ordering = ORDERING.get()
    if ordering is not None:
        await ordering.forget()


def is_gone(failure: FailedAttempt) -> bool:
    """Whether the service has said what became of an order, or that it knows none: asked again it says the same."""
    return failure.status in _GONE or (failure.kind == "response" and failure.vendor is not None)
