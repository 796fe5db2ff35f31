"""What a message may show of a text that came from outside."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable

_KEY_LIKE = re.compile(r"\b(sk|sess|key)-[\w*.-]{5,}[\w*]")
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
_MESSAGE_LENGTH = 300
_LONGEST_KEY = 512


def harmless(text: str, secrets: Iterable[str], length: int = _MESSAGE_LENGTH) -> str:
    """A text on one line, shortened, without keys and without encoded bytes."""
    text = hidden(text, secrets)
    text = _KEY_LIKE.sub(r"\1-***", text)
    text = _LONG_RUN.sub("…", text)
    return text if len(text) <= length else text[: length - 1] + "…"


def hidden(text: str, secrets: Iterable[str]) -> str:
    """A text on one line, without keys, also those that were broken over lines."""
    text = " ".join(text.split())
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
        if len(secret) <= _LONGEST_KEY:
            for spelling in (secret, b64encode(secret.encode("utf-8", "replace")).decode("ascii").rstrip("=")):
                text = re.sub(" ?".join(map(re.escape, spelling)), "***", text)
    return text


def unbroken(text: str, secrets: Iterable[str]) -> str:
    """A text as it is, unless a key stands in it, whole or broken over lines: then without it, on one line."""
    without = hidden(text, secrets)
    return text if without == " ".join(text.split()) else without
