"""Where a data step reads from: its `in`, else its text input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl import StepContext, StepError

_MISSING = object()


def read_source(value: Any, ctx: StepContext, key: str = "in") -> Any:
    """What a step works on.

    A text without a template that names an existing FlowContext path is read from there; any other value is itself;
    without a value it is the step's `text` input.

    Raises:
        StepError: there is nothing to read.
    """
    if value is None:
        found = ctx.input("text")
        if found is None:
            raise StepError(
                f"{ctx.step} has nothing to work on: no `{key}`, and no `text` in the FlowContext",
                code="missing-input",
                hint=f"add `{key}:`, or a SET step with `text:` before",
            )
        return found
    if isinstance(value, str) and key not in ctx.templated:
        found = at_path(ctx.flow_context, value)
        if found is not _MISSING:
            return found
    return value


def at_path(values: Any, path: str) -> Any:
    """The value at a dot path, or a marker when there is none."""
    found = values
    for part in path.split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return _MISSING
    return found


def as_text(value: Any, ctx: StepContext) -> str:
    """A text to work on.

    Raises:
        StepError: the value is none.
    """
    if not isinstance(value, str):
        raise StepError(f"{ctx.step} works on a text, and found {_what(value)}", code="wrong-type")
    return value


def _what(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a map"
    return "a list" if isinstance(value, (list, tuple)) else f"the {type(value).__name__} {value!r}"
