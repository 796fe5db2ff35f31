"""Characters that libyaml reads otherwise than YAML 1.2: three line ends of Unicode, which are text, and characters
above U+FFFF that JSON escapes in two halves.

They are read from a copy of the text in which other characters stand for them, as many as they are, so that every other
character keeps its place; `Replaced.restored` puts them back into the values of scalars.
"""

from __future__ import annotations

import re
from itertools import islice

from flowdsl.syntax.scalars import PAIR, character

_BREAKS = "\u0085\u2028\u2029"
_PRIVATE = range(0xE000, 0xF8FF)


class Replaced:
    """A text with characters in place of those that libyaml misreads; `text` is as long as the source."""

    __slots__ = ("_back", "_filler", "text")

    def __init__(self, text: str) -> None:
        free = (chr(code) for code in _PRIVATE if chr(code) not in text)
        stand_ins = list(islice(free, len(_BREAKS) + 1))
        self._filler = stand_ins[-1] * 11
        self._back = {ord(new): old for old, new in zip(_BREAKS, stand_ins, strict=False)}
        text = text.translate({ord(old): new for new, old in ((chr(code), old) for code, old in self._back.items())})
        self.text = re.sub(PAIR, self._joined, text)

    def _joined(self, pair: re.Match[str]) -> str:
        before = pair.string[: pair.start()]
        escaped = (len(before) - len(before.rstrip("\\"))) % 2
        return pair[0] if escaped else character(pair) + self._filler

    def restored(self, value: str, written: str, style: str | None) -> str:
        """The value of a scalar whose characters in the source are `written`."""
        if self._filler[0] in value:
            if style == '"':
                value = value.replace(self._filler, "")
            else:  # no escape here: the characters stand for themselves
                for pair in re.finditer(PAIR, written):
                    value = value.replace(character(pair) + self._filler, pair[0], 1)
        return value.translate(self._back)


def replaced(text: str) -> Replaced | None:
    """The text as libyaml is to read it; None for one that it reads as it is."""
    if not ("\\ud" in text or "\\uD" in text or (not text.isascii() and any(char in text for char in _BREAKS))):
        return None
    return Replaced(text)
