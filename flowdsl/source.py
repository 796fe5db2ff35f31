"""Texts with a name, and places in them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from flowdsl.record import Row


class Position(Row):
    """A place for people: line and column, both from 1, columns in characters."""

    line: int
    col: int


class Source:
    """A text and the path it is known by.

    Offsets are character indexes into `text`; line ends are `\\n`, `\\r\\n` or `\\r`. Byte order marks at the start are
    left out of it, and so are bytes that are no UTF-8, where U+FFFD stands: `encode` gives both back.
    """

    __slots__ = (
        "_begins",
        "_concealed",
        "_hidden",
        "_plain",
        "_secrets",
        "_starts",
        "_undecoded",
        "marks",
        "path",
        "text",
    )

    def __init__(self, text: str, path: str = "<text>", undecoded: Mapping[int, bytes] | None = None) -> None:
        self.text = text.lstrip("\ufeff")
        self.path = path
        self.marks = len(text) - len(self.text)
        """How many byte order marks stand at the start."""
        self._undecoded = undecoded
        self._concealed: list[tuple[int, int]] = []
        self._plain: list[tuple[int, int]] | None = None
        self._secrets: list[tuple[int, int]] | None = None
        self._hidden: set[str] | None = None
        self._begins: set[str] = set()
        self._starts: Sequence[int] | None = None

    def __repr__(self) -> str:
        return f"Source({self.path!r}, {len(self.text)} characters)"

    def position(self, offset: int) -> Position:
        """The line and column of an offset; offsets past the end give the end."""
        starts = self._starts or self._line_starts()
        if not 0 <= offset <= len(self.text):
            offset = 0 if offset < 0 else len(self.text)
        line = bisect_right(starts, offset)
        return Position(line, offset - starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a line (from 1) without its line end."""
        starts = self._line_starts()
        start = starts[number - 1]
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def offset(self, line: int, col: int) -> int:
        """The offset of a line and column, both from 1; a column past the line gives its end."""
        starts = self._line_starts()
        line = max(1, min(line, len(starts)))
        return min(starts[line - 1] + max(col - 1, 0), starts[line - 1] + len(self.line(line)))

    def encode(self, start: int, end: int) -> bytes:
        """The bytes of the characters from `start` up to but not including `end`, as the file has them."""
        if not self._undecoded:
            return self.text[start:end].encode("utf-8", "surrogatepass")
        undecoded = self._undecoded
        return b"".join(undecoded.get(at) or self.text[at].encode() for at in range(start, end))

    def conceal(self, start: int, end: int) -> None:
        """Marks characters as a secret that stands in the text: no finding shows them."""
        self._concealed.append((start, end))
        self._secrets = self._hidden = None

    @property
    def secrets(self) -> list[tuple[int, int]]:
        """Where secrets stand in plain text, as far as one can tell: start and end of each, in order."""
        if self._secrets is None:
            from flowdsl.secrets.plain import merged, plain_secrets  # few files have a finding

            if self._plain is None:
                self._plain = plain_secrets(self.text)
            self._secrets = merged([*self._plain, *self._concealed])
        return self._secrets

    def hide(self, text: str) -> str:
        """A message about this text without the secrets that stand in it."""
        secrets = self.secrets
        if not secrets:
            return text
        from flowdsl.secrets.plain import REVEALING, without

        if self._hidden is None:
            written = [self.text[start:end].strip() for start, end in secrets]
            self._hidden = {*written, *(text.strip("\"'") for text in written)} - {""}
            self._begins = {secret[:REVEALING] for secret in self._hidden}
        begins = self._begins  # a file may hold as many secrets as findings: most show none
        if text not in self._hidden and not any(text[at : at + REVEALING] in begins for at in range(len(text))):
            return text
        return without(text, (secret for secret in self._hidden if len(secret) >= REVEALING or secret == text))

    def without_keys(self, text: str) -> str:
        """A text that was made of this one, such as a title or a prompt, without the secrets that stand in either."""
        from flowdsl.secrets.plain import without_keys

        return without_keys(self.hide(text))

    def _line_starts(self) -> Sequence[int]:
        if self._starts is None:
            text, starts, at = self.text, [0], 0
            if "\r" in text:
                starts += [match.end() for match in re.finditer(r"\r\n?|\n", text)]
            else:
                while (at := text.find("\n", at) + 1) > 0:
                    starts.append(at)
            self._starts = starts
        return self._starts


class Span(Row):
    """The characters from `start` up to but not including `end` of one source."""

    source: Source
    start: int
    end: int

    @property
    def path(self) -> str:
        """The path of the source."""
        return self.source.path

    @property
    def first(self) -> Position:
        """Where the span starts."""
        return self.source.position(self.start)

    @property
    def last(self) -> Position:
        """Where the span ends: the place after its last character."""
        return self.source.position(self.end)

    @property
    def text(self) -> str:
        """The characters of the span."""
        return self.source.text[self.start : self.end]

    def __str__(self) -> str:
        line, col = self.first
        return f"{self.path}:{line}:{col}"
