"""Headers of a request: which names and values can be sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl import Options, Problem
from flowdsl.template import to_text

_OWN = frozenset({"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"})
# Source: RFC 9110, 5.6.2 (token) and 5.5 (field values).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")


def check_headers(options: Options) -> Iterator[Problem]:
    """What is wrong with the `headers`, as far as they are known."""
    headers = options.given.get("headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        message, hint = None, None
        if not _TOKEN.fullmatch(str(name)):
            message = f"`headers` has the name {str(name)!r}, which no header can have"
        elif str(name).lower() in _OWN:
            message, hint = f"`headers` has `{name}`, which REST sets itself", "leave it out"
        elif value is not None and _CONTROL.search(to_text(value).strip()):
            message = f"the header `{name}` holds a character that a header cannot"
        if message is not None:
            yield Problem("invalid-header", message, key="headers", hint=hint, inside=(name,))


def header_lines(headers: Mapping[str, Any] | None) -> dict[str, bytes]:
    """Checked headers as they are sent: names in lower case; null is left out."""
    given = (headers or {}).items()
    return {name.lower(): to_text(value).strip().encode("latin-1") for name, value in given if value is not None}
