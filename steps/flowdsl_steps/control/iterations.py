"""The iterations of a loop: which numbers they count, and when others get a turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from flowdsl import Options, Problem
from flowdsl.step.rules import UNKNOWN

BREATHER = 1024
"""After so many iterations the event loop gets a turn, so that a loop over nothing can be cancelled."""


def counted(start: float, end: float, by: float | None) -> tuple[int, Callable[[int], Any]]:
    """How many numbers stand from `start` to `end`, both included, and the function that gives each by its index.

    `by` is 1 or -1 when it is not given. Decimal steps are exact: 0 to 1 by 0.1 gives 0.3, and ends at 1.
    """
    if by is None:
        by = 1 if start <= end else -1
    if isinstance(start, int) and isinstance(end, int) and isinstance(by, int):
        return max(0, (end - start) // by + 1), lambda index: start + index * by
    from fractions import Fraction

    first, step = Fraction(str(start)), Fraction(str(by))
    size = (Fraction(str(end)) - first) // step + 1
    return max(0, size), lambda index: float(first + index * step)


def check_for(options: Options) -> Iterator[Problem]:
    """A step that leads nowhere, and numbers that have no end."""
    for key in ("start", "end", "by"):
        value = options.given.get(key)
        if value is UNKNOWN or not isinstance(value, (int, float)):
            continue
        if key == "by" and value == 0:
            hint = "leave it out to count up or down by 1"
            yield Problem("out-of-range", "`by` is 0, and the loop would never end", key="by", hint=hint)
        elif not math.isfinite(value):
            yield Problem("out-of-range", f"`{key}` is {value}, and must be a finite number", key=key)
