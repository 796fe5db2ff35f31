"""How many columns of a terminal a text takes: by what is drawn, not by characters.

A family of emoji that joiners hold together is one picture, and so is a hand with the tone of its skin. Written here
and not taken from a package: this is all that carets and lines need, and it is asked only for text that is not ASCII.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from unicodedata import category, east_asian_width

_JOINER = "\u200d"
_AS_EMOJI = "\ufe0f"
_JOINED_FROM = "\u2000"
"""Letters that a joiner stands between, as in Hindi, keep their own width: pictures begin here."""


def width(text: str) -> int:
    """Columns a terminal needs for a line of text."""
    if text.isascii():
        return len(text)
    return max(_columns(text))


def clipped(text: str, columns: int) -> str:
    """The beginning of a text that fits into so many columns."""
    if text.isascii():
        return text[:columns]
    return text[: sum(1 for _ in takewhile(lambda reached: reached <= columns, _columns(text)))]


def _columns(text: str) -> Iterator[int]:
    """The columns that are taken after each character."""
    columns = last = 0
    joined = False
    for char in text:
        if char == _AS_EMOJI:
            columns += last == 1
            last = 2
        elif char == _JOINER:
            joined = last > 0
        else:
            wide = 0 if (joined and char > _JOINED_FROM) or _is_tone(char, last) else _width(char)
            joined = False
            columns += wide
            last = wide or last
        yield columns


def _is_tone(char: str, last: int) -> bool:
    return "\U0001f3fb" <= char <= "\U0001f3ff" and last == 2


def _width(char: str) -> int:
    if category(char) in ("Mn", "Me", "Cf") and char != "\u00ad":
        return 0
    if "\u1160" <= char <= "\u11ff" or "\ud7b0" <= char <= "\ud7ff":  # parts of a Korean syllable after its first
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
