"""Whose requests a gateway serves that has no tokens: those of programs on this machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

_HANDED_ON = frozenset({b"x-forwarded-for", b"x-real-ip", b"forwarded"})
"""Headers by which a proxy says for whom it asks."""
_PART = re.compile(r"[^,;]+")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def stranger(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """What is wrong with the names in a request; None when it comes from this machine by its own name."""
    for name, value in headers:
        if name in (b"host", b"origin"):
            text = value.decode("latin-1")
            if not _is_here(text if name == b"origin" else f"//{text}"):
                return f"The {name.decode()} of this request is not this machine, which alone is served without tokens."
        elif name in _HANDED_ON and not all(map(_is_own, _PART.findall(value.decode("latin-1")))):
            return "A proxy handed this request on, and without tokens this machine alone is served."
    return None


def _is_own(part: str) -> bool:
    """Whether a part of a header of a proxy names this machine, or nobody."""
    key, _, value = part.strip().rpartition("=")
    if key.lower() not in ("", "for"):
        return True
    host = value.strip('"')
    return is_loopback(host) or _is_here(f"//{host}")


@lru_cache(64)  # clients say the same one with each request
def _is_here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
