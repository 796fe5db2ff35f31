"""The rules of the house, asked before anything is reserved or sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdsl import StepContext
    from flowdsl_steps.image.request import ImageRequest
    from flowdsl_steps.image.stated_prices import Prices
    from flowdsl_steps.image.vendor import Endpoint, Vendor


def allow(
    ctx: StepContext, vendor: Vendor, endpoint: Endpoint, requests: Sequence[ImageRequest], prices: Prices, sends: int
) -> None:
    """Tells the rules what a step asks for in all; each request may be sent so often.

    Raises:
        ConfigError: a rule is broken.
    """
    first = requests[0]
    known = [usd for usd in map(prices.most, requests) if usd is not None]
    ctx.allow(
        model=endpoint.label,
        service=endpoint.service,
        vendor=vendor.name,
        host=endpoint.host,
        size=first.size,
        quality=first.quality,
        n=sum(each.n for each in requests),
        prompt=first.prompt,
        cost=sum(known) * sends if len(known) == len(requests) else None,
    )
