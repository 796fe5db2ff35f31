"""Usage figures of several responses in one."""

from __future__ import annotations

from typing import Any


def added(first: Any, second: Any) -> Any:
    """Two usages in one: figures added, key by key; what only one of them says is kept."""
    if isinstance(first, dict) and isinstance(second, dict):
        return {key: added(first.get(key), second.get(key)) for key in {**first, **second}}
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        return first + second
    return first if second is None else second
