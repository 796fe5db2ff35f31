"""Text that steers no terminal: C0 and C1 controls, characters that turn the direction of writing, and halves of
characters are shown as escapes. The escapes are those of JSON, so that a JSON text with such characters in its strings
stays the same JSON.
"""

from __future__ import annotations

import re

# Compiled when a text needs it, which few do.
_STEERING = "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
# Lines and columns of their own are for whole texts: within a line, a break would begin one that looks like ours.
_STEERING_IN_LINE = f"[\t\n]|{_STEERING}"


def visible(text: str) -> str:
    """The text with what steers a terminal shown as escapes; its line ends and tabs stay."""
    if text.isprintable() or text.replace("\n", "").isprintable():
        return str(text)
    return re.sub(_STEERING, _escape, text)


def visible_line(text: str) -> str:
    """The text as a part of one line: its line ends and tabs are escapes too."""
    if text.isprintable():
        return str(text)
    return re.sub(_STEERING_IN_LINE, _escape, text)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


class Shown(str):
    """A text that goes to a terminal as it is: what steers it there is ours, such as colours.

    Made by `shown`, by `styled`, and where a cursor is moved. Only `+` with other text gives such a text again, and
    makes the other visible: whatever else is made of one is a text like any other.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def __add__(self, other: str) -> Shown:
        return shown(self, other)

    def __radd__(self, other: str) -> Shown:
        return shown(other, self)


def shown(*parts: str) -> Shown:
    """Parts in a row: those that are `Shown` as they are, others made visible."""
    return Shown("".join([part if isinstance(part, Shown) else visible(part) for part in parts]))


def in_place(text: str) -> Shown:
    """A line in the place of the one that the cursor stands in, which stays there."""
    return Shown(f"\r\x1b[K{visible_line(text)}")


def styled(style: str, text: str) -> Shown:
    """The text in a style of ANSI's (`1;31` is bold and red), made visible."""
    return Shown(f"\x1b[{style}m{visible(text)}\x1b[0m")
