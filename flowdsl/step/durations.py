"""Times that are written with their unit, as `5 minutes`, where a key takes a number."""

from __future__ import annotations

import re

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_WRITTEN = re.compile(
    r"\s*([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*"
    r"(?:(ms|msecs?|millis|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?))\s*",
    re.IGNORECASE,
)


def counted(text: str, name: str, summary: str) -> tuple[float, str] | None:
    """The number that a key takes for a time, and what the key counts; None where the text is no time, or the key
    counts neither milliseconds nor seconds."""
    if "milliseconds" in summary:
        unit, each = "milliseconds", 1
    elif "seconds" in summary:
        unit, each = "seconds", 1000
    else:
        return None
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    number, *units = found.groups()
    factor = next(size for size, word in zip(_UNITS.values(), units, strict=True) if word)
    value = float(number) * factor / each
    return (int(value) if value.is_integer() else value), unit
