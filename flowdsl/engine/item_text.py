"""What an item of a loop is called, in the progress of a run and in the files of its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.secrets.plain import HIDDEN
from flowdsl.template import to_text
from flowdsl.template.numbers import number_text
from flowdsl.template.taint import Marked

_NAMES = ("name", "title", "sku", "id")
"""What a map is called by: the first of these keys that holds a text or a number."""
_LONGEST = 60


def item_text(value: Any) -> str:
    """A short text on one line for an item: its own text, or the name that it holds; empty when it has none."""
    if value.__class__ is int:
        return number_text(value)
    value = named_by(value)
    if value is None or isinstance(value, (list, tuple)):
        return ""
    text = " ".join(to_text(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def named_by(item: Any) -> Any:
    """What an item is called by: itself, or what the first of its keys holds that names it, which may be nothing;
    `***` for a secret, however short."""
    if isinstance(item, Mapping):
        found = (item.get(key) for key in _NAMES)
        item = next((name for name in found if isinstance(name, (str, int, float)) and name != ""), None)
    return HIDDEN if isinstance(item, Marked) else item
