"""Words that people look for in the settings and options of a gateway, and where what they mean is done instead."""

from __future__ import annotations

import re

NO_TLS = (
    "a gateway speaks plain HTTP: TLS ends in a proxy in front of it, which has the certificate; start "
    "`flowdsl serve --proxy-headers`, and write the proxy's address as `public_url` below `[serve]`"
)
_CERTIFICATE = re.compile(r"(?:ssl|tls|https|cert|pem|private[-_]?key|key[-_]?file)", re.IGNORECASE)


def names_certificate(name: str) -> bool:
    """Whether an option or a key is one by which servers are given a certificate, or its key."""
    return _CERTIFICATE.match(name) is not None


def parts_of(host: str) -> tuple[str, str] | None:
    """The host and the port (empty: it has none) of a text that holds more than a host; None for a host alone."""
    from urllib.parse import urlsplit

    if "/" not in host and "[" not in host and host.count(":") != 1:
        return None
    try:
        found = urlsplit(host if "://" in host else f"//{host}")
        port = "" if found.port is None else str(found.port)
    except ValueError:
        return "127.0.0.1", ""
    return found.hostname or "127.0.0.1", port
