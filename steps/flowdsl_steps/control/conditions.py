"""What a condition says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowdsl.template import truthy

if TYPE_CHECKING:
    from flowdsl import StepContext

_NO = frozenset({"", "false", "null", "undefined", "none"})


def holds(value: Any) -> bool:
    """Whether the value of a condition is true: a text is false when, trimmed, it is empty or says false, null,
    undefined or none in any case; everything else is judged as JavaScript does."""
    if isinstance(value, str):
        return value.strip().lower() not in _NO
    return truthy(value)


def answer(ctx: StepContext, *keys: str) -> Any:
    """The value, resolved now, of the first of these options that the author gave; None when none is there."""
    for key in keys:
        if key in ctx.given:
            return ctx.evaluate(key)
    return None
