"""What the value of a condition says."""

from __future__ import annotations

from typing import Any

FALSE_TEXTS = frozenset({"", "false", "null", "undefined", "none"})
"""The texts that are false, trimmed and in lower case."""


def holds(value: Any) -> bool:
    """Whether the value of a condition is true: a text is false when, trimmed, it is empty or says false, null,
    undefined or none in any case; everything else is as in JavaScript."""
    if isinstance(value, str):
        return value.strip().lower() not in FALSE_TEXTS
    if value is True or value is False or value is None:
        return bool(value)
    from flowdsl.template.values import truthy  # what renders is not loaded by a check

    return truthy(value)
