"""What is told of a generation that succeeded: the step's output `object`, and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

from flowdsl.image.store import Image
from flowdsl_steps.image import cost
from flowdsl_steps.image.body import Order
from flowdsl_steps.image.delivery import Delivered
from flowdsl_steps.image.usage import added


class Part(NamedTuple):
    """One request that succeeded, the pictures it brought, and how many it had asked for."""

    delivered: Delivered
    images: tuple[Image, ...]
    asked: int


def usd_of(part: Part, order: Order) -> float | None:
    """What a request cost in USD, or None when neither the answer nor the catalogue tells."""
    if order.model is None:
        return None
    payload = part.delivered.answer.payload
    usage = payload.get("usage")
    size, quality = payload.get("size") or order.body.get("size"), payload.get("quality") or order.body.get("quality")
    return cost.actual(order.model, usage if isinstance(usage, dict) else None, size, quality, part.asked)


def described(parts: Sequence[Part], order: Order, attempts: int) -> dict[str, Any]:
    """The output `object`: what is known of the keys it may have."""
    payload = parts[0].delivered.answer.payload
    sizes = {f"{image.width}x{image.height}" for part in parts for image in part.images if image.width}
    prices = [usd_of(part, order) for part in parts]
    known = [price for price in prices if price is not None]
    found = {
        "model": order.model_name,
        "size": sizes.pop() if len(sizes) == 1 else payload.get("size") or order.body.get("size"),
        "quality": payload.get("quality") or order.body.get("quality"),
        "attemptCount": attempts,
        "usage": reduce(added, [part.delivered.answer.payload.get("usage") for part in parts]),
        "requestId": parts[0].delivered.request_id,
        "cost": sum(known) if len(known) == len(prices) else None,
        "finishReason": "stop",
    }
    return {key: value for key, value in found.items() if value is not None}
