"""Values of the FlowContext as JSON values."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from flowdsl.template.taint import Marked


def to_json(value: Any) -> Any:
    """A value of the FlowContext as JSON values; secrets become `***`.

    Images and blobs say themselves what they are as JSON, with `to_json`. What JSON has no form for becomes its text,
    and an object that has none `<Name>`: an address in memory says nothing, and differs from run to run.
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
    if isinstance(value, (set, frozenset)):
        return sorted((to_json(item) for item in value), key=str)
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    own_text: Any = kind.__str__
    # What an object of the host says of itself may hold its key; a date, a Decimal or a path says its value.
    says = own_text is not object.__str__ and (package in sys.stdlib_module_names or package == "flowdsl")
    return str(value) if says else f"<{_name(value)}>"


def _name(value: Any) -> str:
    """What an object is called that has no text: a function or a class by its own name, others by their type's."""
    name = getattr(value, "__qualname__", None)
    return name if isinstance(name, str) else type(value).__qualname__
