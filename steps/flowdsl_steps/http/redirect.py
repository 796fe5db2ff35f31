"""Where a redirect leads: one reading of it for every step that follows some."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import httpx

MAX_REDIRECTS = 5


def next_address(url: str, location: str) -> str:
    """The web address that the `location` of a response from `url` names, without a fragment; empty when it is none."""
    try:
        target = urljoin(url, location.strip()).partition("#")[0]
        parts = urlsplit(target)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        return str(httpx.URL(target)) if known else ""
    except (ValueError, httpx.InvalidURL):
        return ""


def leaves_https(before: str, after: str) -> bool:
    """Whether a redirect would go on in the open."""
    return urlsplit(before).scheme == "https" and urlsplit(after).scheme != "https"
