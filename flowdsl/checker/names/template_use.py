"""One template at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.record import Record
from flowdsl.syntax.scalars import span_in

if TYPE_CHECKING:
    from flowdsl.checker.flow.state import State
    from flowdsl.diagnostics import Fix
    from flowdsl.source import Span
    from flowdsl.syntax.node import Node


class Part(Record):
    """One member name of a chain: `key` is None when it is computed."""

    key: str | None
    start: int
    end: int


_EMPTY = {"list": "[]", "map": "{}", "integer": "0", "number": "0", "boolean": "false"}


class Use:
    """One template at its place: each name is reported once in it, and with `lax` no undefined one is."""

    __slots__ = ("lax", "node", "reported", "shift", "state", "wanted")

    def __init__(self, node: Node, state: State, lax: bool, shift: int = 0, wanted: str = "") -> None:
        self.node = node
        self.state = state
        self.lax = lax
        self.shift = shift
        """Where the template begins in the text of the node."""
        self.reported: set[str] = set()
        self.wanted = wanted
        """The type of the option that the template is the value of, where it is known."""

    @property
    def text(self) -> str:
        """The text that offsets of the template count in."""
        return str(self.node.value)[self.shift :]

    def span(self, start: int, end: int) -> Span:
        """The place in the file of the characters from `start` to `end`, offsets in `text`."""
        return span_in(self.node, start + self.shift, end + self.shift)

    def instead(self, start: int, end: int, new: str, *, safe: bool = False) -> Fix | None:
        """Other characters in place of those from `start` to `end`; see `Fix` for what `safe` is.

        None where the file spells these characters in another way, as behind an escape.
        """
        from flowdsl.syntax.edits import instead

        return instead(self.span(start, end), self.text[start:end], new, style=self.node.style, safe=safe)

    def defaulted(self, end: int) -> Fix | None:
        """An empty default behind what ends at `end` and may be undefined; none where a member of it is read."""
        text = self.text
        if end < 1 or text[end : end + 1] in (".", "[", "("):
            return None
        empty = self.empty(end)
        empty = '""' if self.node.style == "'" and empty == "''" else empty
        fix = self.instead(end - 1, end, f"{text[end - 1]} | default({empty})")
        return None if fix is None else fix._replace(title=f"add `| default({empty})`", by_hand=True)

    def empty(self, end: int) -> str:
        """An empty value, as templates write it, for what ends at `end`: where that is all of the template, one that
        fits the option it is in."""
        text = self.text
        alone = text[end:].strip(" -}") == "" and text.lstrip()[:2] == "{{" and text.count("{{") == 1
        return _EMPTY.get(self.wanted, "''") if alone else "''"

    def at(self, shift: int, lax: bool) -> Use:
        """The use of a part of the template that begins at the offset `shift`; `lax` as for the whole."""
        part = Use(self.node, self.state, lax, self.shift + shift, self.wanted)
        part.reported = self.reported
        return part
