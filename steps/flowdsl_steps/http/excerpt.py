"""What a message may show of a text that came from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEY_LIKE = re.compile(r"\b(sk|sess|key)-[\w*.-]{5,}[\w*]")
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
_MESSAGE_LENGTH = 300


def harmless(text: str, secrets: Iterable[str], length: int = _MESSAGE_LENGTH) -> str:
    """A text on one line, shortened, without keys and without encoded bytes."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _KEY_LIKE.sub(r"\1-***", text)
    text = _LONG_RUN.sub("…", text)
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
