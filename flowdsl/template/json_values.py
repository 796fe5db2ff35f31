"""Values of the FlowContext as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.template.taint import Marked


def to_json(value: Any) -> Any:
    """A value of the FlowContext as JSON values; what JSON has no form for becomes its text, secrets become `***`.

    Images and blobs say themselves what they are as JSON, with `to_json`.
    """
    if isinstance(value, Marked):
        return "***"
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        own = getattr(value, "to_json", None)
        if own is not None:
            return own()
        return {str(to_json(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return str(value)
