"""What a step tells of its requests while they are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flowdsl_steps.image.received import Partial

if TYPE_CHECKING:
    from flowdsl import StepContext
    from flowdsl.errors import ServiceError


def on_retry(ctx: StepContext) -> Callable[[ServiceError, float], None]:
    """What notes that a request is sent again, after a pause."""

    def note(error: ServiceError, pause_s: float) -> None:
        details = {"status": error.status, "code": error.code, "charge_possible": error.charge_possible}
        ctx.note("retry", f"{error.message}; sent again in {pause_s:.1f} s", details)

    return note


def on_partial(ctx: StepContext, request: int) -> Callable[[Partial], None]:
    """What tells of an unfinished picture of the request of this number."""

    def tell(partial: Partial) -> None:
        ctx.progress(f"partial image {partial.number + 1}")
        if partial.image is not None:
            ctx.partial_image(request, partial.number, partial.image)

    return tell
