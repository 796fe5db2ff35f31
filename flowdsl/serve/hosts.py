"""Whose requests a gateway serves that has no tokens: those of programs on this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit


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
    return None


def _is_here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
