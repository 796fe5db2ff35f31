"""What the value of a condition says."""

from __future__ import annotations

from typing import Any

from flowdsl.template.values import truthy

FALSE_TEXTS = frozenset({"", "false", "null", "undefined", "none"})
"""The texts that are false, trimmed and in lower case."""


def holds(value: Any) -> bool:
    """Whether the value of a condition is true: a text is false when, trimmed, it is empty or says false, null,
    undefined or none in any case; everything else is as in JavaScript."""
    if isinstance(value, str):
        return value.strip().lower() not in FALSE_TEXTS
    return truthy(value)
