"""One HTTP request as a value, for every step that speaks HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flowdsl.record import Record
from flowdsl_steps.http.multipart import Multipart

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that a second request of does no more than the first. Source: RFC 9110, 9.2.2."""


class HttpRequest(Record):
    """What is sent: bytes, or a multipart body that is read from disk while it goes out."""

    method: str
    url: str
    headers: Mapping[str, str | bytes] = {}
    content: bytes | Multipart = b""

    def __repr__(self) -> str:
        return f"<HttpRequest {self.shown}>"

    @property
    def host(self) -> str:
        """Host and port of the address, without a login."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def shown(self) -> str:
        """Method and address for messages: without the query, which may hold a key."""
        parts = urlsplit(self.url)
        return f"{self.method} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def described(self) -> dict[str, Any]:
        """The request as JSON values: of its header names and its body only what tells requests apart, no secret."""
        import hashlib  # it loads OpenSSL, which a check has no use for

        digest = hashlib.sha256(self.content).hexdigest() if isinstance(self.content, bytes) and self.content else None
        return {"method": self.method, "url": self.shown, "headers": sorted(self.headers), "bodySha256": digest}

    @property
    def repeatable(self) -> bool:
        """Whether a second request of the same does no more than the first."""
        return self.method in REPEATABLE

    def arguments(self) -> dict[str, Any]:
        """The arguments for httpx: a multipart body brings its own type and length."""
        headers = [(name.encode("ascii"), _bytes(value)) for name, value in self.headers.items()]
        if isinstance(self.content, Multipart):
            headers = [pair for pair in headers if pair[0].lower() not in (b"content-type", b"content-length")]
            headers.append((b"content-type", self.content.content_type.encode("ascii")))
            headers.append((b"content-length", str(self.content.length).encode("ascii")))
        return {"method": self.method, "url": self.url, "headers": headers, "content": self.content or None}


def merged(*several: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """Headers as one: the last of a name counts, however it is spelled."""
    kept = {name.lower(): (name, value) for headers in several for name, value in headers.items()}
    return dict(kept.values())


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else value
