"""Where a data step reads from: its `in`, else its text input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowdsl import Blob, Image, StepContext, StepError
from flowdsl.template import UNDEFINED, to_text

_MISSING = object()
_INDEX = re.compile(r"[0-9]{1,9}")


def read_source(value: Any, ctx: StepContext, key: str = "in", type: str = "text") -> Any:
    """What a step works on.

    A text without a template that names an existing FlowContext path is read from there; any other value is itself;
    without a value it is the step's input of the type.

    Raises:
        StepError: there is nothing to read.
    """
    if value is None:
        found = ctx.input(type)
        if found is None:
            raise StepError(
                f"{ctx.step} has nothing to work on: no `{key}`, and no `{type}` in the FlowContext",
                code="missing-input",
                hint=f"add `{key}:`, or a step that sets `{type}` before",
            )
        return found
    if value is UNDEFINED:
        raise StepError(f"{ctx.step} has nothing to work on: `{key}` is undefined", code="missing-input")
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
        elif isinstance(found, (list, tuple)) and _INDEX.fullmatch(part) and int(part) < len(found):
            found = found[int(part)]
        else:
            return _MISSING
    return found


def as_text(value: Any, ctx: StepContext) -> str:
    """A text to work on; a number or a boolean is its text.

    Raises:
        StepError: the value is a list, a map, bytes.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return to_text(value)
    raise wrong_type(value, ctx)


def wrong_type(value: Any, ctx: StepContext) -> StepError:
    """The error of a step that cannot work on what it found."""
    return StepError(f"{ctx.step} works on a text, and found {what_is(value)}", code="wrong-type")


def what_is(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, Image):
        return "an image"
    if isinstance(value, Blob):
        return "a blob"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, str):
        return "a text"
    return "nothing" if value is None else to_text(value)
