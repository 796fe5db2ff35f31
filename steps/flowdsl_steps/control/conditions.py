"""The condition that a step was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowdsl import StepContext


def first_given(ctx: StepContext, *keys: str) -> Any:
    """The value, resolved now, of the first of these options that the author gave; None when none is there."""
    for key in keys:
        if key in ctx.given:
            return ctx.evaluate(key)
    return None
