"""JSON that comes from outside: parsed, unless it is nested so deep that whoever walks it would not come back."""

from __future__ import annotations

import json

_DEEPEST = 64


def parsed_json(raw: bytes | str) -> object:
    """The value of a JSON document; None for text that is none, and for one nested deeper than 64 levels."""
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if _is_shallow(value) else None


def _is_shallow(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return True
        level = inner
    return False
