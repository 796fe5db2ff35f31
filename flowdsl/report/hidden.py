"""What no report shows."""

from __future__ import annotations

from typing import overload

from flowdsl.secrets.plain import HIDDEN, plain_secrets


@overload
def hidden(text: str) -> str: ...
@overload
def hidden(text: str | None) -> str | None: ...
def hidden(text: str | None) -> str | None:
    """A text without keys that stand in it in plain."""
    for start, end in reversed(plain_secrets(text) if text else ()):
        text = f"{text[:start]}{HIDDEN}{text[end:]}" if text else text
    return text
