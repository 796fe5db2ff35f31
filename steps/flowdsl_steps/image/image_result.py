"""What is known of pictures that were made: the step's output `object`, and their cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

from flowdsl.image.origin import Origin
from flowdsl.image.store import Image
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.sender import Response
from flowdsl_steps.image.usage import added
from flowdsl_steps.image.vendor import Endpoint


class Purchase(NamedTuple):
    """One request that succeeded, its pictures stored, and what it cost in USD (None when nothing says it). `again`: it
    was paid for before, and its result is used again."""

    request: ImageRequest
    response: Response
    images: tuple[Image, ...]
    usd: float | None
    again: bool = False


def origin_of(request: ImageRequest, endpoint: Endpoint) -> Origin:
    """What a request says of how its pictures are made."""
    return Origin(
        prompt=request.prompt,
        model=endpoint.label,
        service=endpoint.service,
        size=request.size,
        quality=request.quality,
        seed=request.seed,
        edited=bool(request.images),
    )


def described(purchases: Sequence[Purchase], label: str, attempts: int) -> dict[str, Any]:
    """The output `object`: what is known of the keys it may have. `label` is the model's name."""
    request, response = purchases[0].request, purchases[0].response
    received = response.received
    sizes = {f"{image.width}x{image.height}" for each in purchases for image in each.images if image.width}
    prices = [each.usd for each in purchases]
    known = [price for price in prices if price is not None]
    found = {
        "model": label,
        "size": sizes.pop() if len(sizes) == 1 else received.size or request.size,
        "quality": received.quality or request.quality,
        "attemptCount": attempts,
        "usage": reduce(added, [each.response.received.usage for each in purchases]),
        "requestId": response.request_id,
        "cost": sum(known) if len(known) == len(prices) else None,
        "finishReason": received.finish_reason,
    }
    return {key: value for key, value in found.items() if value is not None}
