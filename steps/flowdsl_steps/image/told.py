"""What a step tells of its requests while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.image.image import Image
from flowdsl_steps.http.excerpt import unbroken
from flowdsl_steps.image.received import Finished, Partial

if TYPE_CHECKING:
    from flowdsl import StepContext
    from flowdsl.errors import ServiceError
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.request import ImageRequest
    from flowdsl_steps.image.vendor import Endpoint


def on_retry(ctx: StepContext) -> Callable[[ServiceError, float], None]:
    """What notes that a request is sent again, after a pause."""

    def note(error: ServiceError, pause_s: float) -> None:
        details = {"status": error.status, "code": error.code, "charge_possible": error.charge_possible}
        ctx.note("retry", f"{error.message}; sent again in {pause_s:.1f} s", details)

    return note


def on_partial(ctx: StepContext, request: int, finished: FinishedPictures) -> Callable[[Partial | Finished], None]:
    """What tells of the pictures in the stream of the request of this number."""

    def tell(came: Partial | Finished) -> None:
        if isinstance(came, Finished):
            finished.of_stream(request, came)
            return
        ctx.progress(f"partial image {came.number + 1}")
        if came.image is not None:
            ctx.partial_image(request, came.number, came.image)

    return tell


class FinishedPictures:
    """Tells of each picture of several as soon as it is there and its purchase stands in the ledger: for one of a
    stream of several that is its request, which was written down before it was sent; for one of a request of its own it
    is what came of that."""

    def __init__(self, ctx: StepContext, endpoint: Endpoint, requests: Sequence[ImageRequest]) -> None:
        self._ctx = ctx
        self._endpoint = endpoint
        self._is_of_several = len(requests) > 1
        self._is_streamed = any(each.n > 1 for each in requests)
        self._told: list[Image] = []

    def of_stream(self, request: int, came: Finished) -> None:
        """A picture of a stream came."""
        if self._is_streamed:
            self._tell(request, came.image, came.usage, came.quality)

    def of_request(self, request: int, received: Received) -> None:
        """A request has ended, and others may not have. What several pictures of it took stands for none of them."""
        images = [image for image in received.images if isinstance(image, Image)] if self._is_of_several else ()
        usage = received.usage if len(received.images) == 1 else None
        for image in images:
            if not any(each is image for each in self._told):
                self._tell(request, image, usage, received.quality)

    def _tell(self, request: int, image: Image, usage: Mapping[str, Any] | None, quality: str | None) -> None:
        self._told.append(image)
        image.hide(lambda text: text and unbroken(text, self._endpoint.secrets))
        self._ctx.finished_image(request, image, usage=usage, quality=quality)
