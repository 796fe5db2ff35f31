"""A day of the machine's time zone: what may be spent in one is free again at midnight."""

from __future__ import annotations

import time


def day_of(now: float) -> str:
    """The day of a time in Unix seconds, as 2026-11-21."""
    return time.strftime("%Y-%m-%d", time.localtime(now))


def left_of_day(now: float) -> float:
    """How many seconds are left of it."""
    at = time.localtime(now)
    midnight = time.mktime((at.tm_year, at.tm_mon, at.tm_mday + 1, 0, 0, 0, 0, 0, -1))
    return max(midnight - now, 0.0)
