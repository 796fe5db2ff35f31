"""What an item of a loop is called in the progress of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.secrets.plain import HIDDEN
from flowdsl.template import to_text
from flowdsl.template.taint import SecretText

_NAMES = ("name", "title", "sku", "id")
"""What a map is called by: the first of these keys that holds a text or a number."""
_LONGEST = 60


def item_text(value: Any) -> str:
    """A short text on one line for an item: its own text, or the name that it holds; empty when it has none."""
    if value.__class__ is int:
        return str(value)
    if isinstance(value, Mapping):
        found = (value.get(key) for key in _NAMES)
        value = next((name for name in found if isinstance(name, (str, int, float)) and name != ""), None)
    if isinstance(value, SecretText):
        return HIDDEN
    if value is None or isinstance(value, (list, tuple)):
        return ""
    text = " ".join(to_text(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
