"""How long to wait before a request is sent again."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable, Mapping

LONGEST_SERVER_DELAY_S = 120.0
"""A server that asks for a longer pause is not waited for."""

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 8.0
_JITTER = 0.25


def delay_s(
    retries: int,
    headers: Mapping[str, str],
    *,
    now: Callable[[], float] = time.time,
    draw: Callable[[], float] = random.random,
) -> float | None:
    """Seconds to wait before the next attempt after `retries` of them, or None when the server asks for too long.

    The server's wish counts first: `retry-after-ms`, then `retry-after` in seconds or as a date; else the pause
    doubles from half a second to eight, up to a quarter of it taken off at random.
    """
    asked = server_delay_s(headers, now=now)
    if asked is not None and asked > LONGEST_SERVER_DELAY_S:
        return None
    if asked is not None and asked > 0:
        return asked
    return min(_FIRST_DELAY_S * 2.0**retries, _LONGEST_DELAY_S) * (1 - _JITTER * draw())


def said_of_delay(headers: Mapping[str, str], *, now: Callable[[], float] = time.time) -> str | None:
    """How long a server asks to wait, in words, when that is longer than anybody waits here; else None."""
    asked = server_delay_s(headers, now=now)
    if asked is None or not asked > LONGEST_SERVER_DELAY_S:
        return None
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if asked >= 2 * unit:
            return (
                f"the server asks to wait {asked / unit:.0f} {name}"
                if asked < 1e9
                else "the server asks to wait for ever"
            )
    return None


def server_delay_s(headers: Mapping[str, str], *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds that a server asks to wait, or None when it says nothing that can be read."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
    try:
        return email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - now()
    except (KeyError, ValueError, OverflowError):  # of a zone that no clock has
        return None


def asked_pause_s(headers: Mapping[str, str]) -> float:
    """The pause that the response to an order asks for before the next question; 0 for none, or one too long."""
    asked_s = server_delay_s(headers) or 0.0
    return asked_s if 0 < asked_s <= LONGEST_SERVER_DELAY_S else 0.0
