"""Usage figures: as they may be told, and those of several responses in one."""

from __future__ import annotations

import math
from typing import Any

_DEEPEST = 4
"""Details of details: what is deeper is no figure of anybody's."""


def added(first: Any, second: Any) -> Any:
    """Two usages in one: figures added, key by key; what only one of them says is kept."""
    if isinstance(first, dict) and isinstance(second, dict):
        return {key: added(first.get(key), second.get(key)) for key in {**first, **second}}
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        return first + second
    return first if second is None else second


def figures(usage: Any, deepest: int = _DEEPEST) -> Any:
    """What a vendor says of the usage, without what is no number in JSON, such as `1e400`, or too deep."""
    if isinstance(usage, dict):
        return {key: figures(each, deepest - 1) for key, each in usage.items()} if deepest else None
    if isinstance(usage, list):
        return [figures(each, deepest - 1) for each in usage] if deepest else None
    return None if isinstance(usage, float) and not math.isfinite(usage) else usage
