"""What the headers of a response say of how much a service still allows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from flowdsl import Allowance

_KINDS = ("requests", "images")
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms]|)")


def allowances(headers: Mapping[str, str]) -> Iterator[Allowance]:
    """Those in the form of OpenAI, `x-ratelimit-limit-requests` and the like; what cannot be read says nothing."""
    for kind in _KINDS:
        most = _count(headers.get(f"x-ratelimit-limit-{kind}"))
        left = _count(headers.get(f"x-ratelimit-remaining-{kind}"))
        if most is not None and left is not None and most > 0 and left <= most:
            yield Allowance(kind, most, left, time_s(headers.get(f"x-ratelimit-reset-{kind}")))


def time_s(text: str | None) -> float | None:
    """A time such as `6m0s`, `120ms` or `1`, in seconds; None for what is none."""
    parts = _PART.findall(text.strip()) if text else []
    if not parts or "".join(number + unit for number, unit in parts) != (text or "").strip():
        return None
    found = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return found if math.isfinite(found) else None


def _count(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
