"""The HTTP requests that one request for pictures takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdsl_steps.image.request import ImageRequest
    from flowdsl_steps.image.vendor import Endpoint, Vendor


def split(request: ImageRequest, vendor: Vendor, endpoint: Endpoint) -> tuple[ImageRequest, ...]:
    """The HTTP requests that a request takes, each for at most as many pictures as the vendor gives at once."""
    most = vendor.images_per_request(request, endpoint)
    return tuple(request.with_count(min(most, request.n - start)) for start in range(0, request.n, most))
