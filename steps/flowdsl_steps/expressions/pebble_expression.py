"""What an expression of Pebble becomes: its code here, the kind of its value, and how tightly it holds together."""

from __future__ import annotations

from typing import NamedTuple

from flowdsl.template.problems import Mistake
from flowdsl_steps.expressions.pebble_kinds import Kind

MEMBER, FILTERED, SUM, JOINED, COMPARED, NEGATED, BOTH, EITHER, CHOICE = range(9)
"""How loosely the parts of an expression hold together."""


class Expression(NamedTuple):
    """An expression: `shown` is how the document has it, from `start` to `end` of the text. `kind` is None where nobody
    knows it before the run. `is_literal`: a text in quotes; `may_lack`: the output of a task that may not have run;
    `is_open`: an item of a list that may be shorter."""

    code: str
    kind: Kind | None
    level: int
    start: int
    end: int
    shown: str
    is_literal: bool = False
    may_lack: bool = False
    is_open: bool = False

    @property
    def constant(self) -> str | None:
        """The text that it is, where it is one in quotes."""
        found = self.kind.values[0] if self.is_literal and self.kind is not None and self.kind.values else None
        return found if isinstance(found, str) else None

    def tight(self, level: int) -> str:
        """As a part of another one that holds together as tightly as `level`."""
        return self.code if self.level <= level else f"({self.code})"

    def within(self, *names: str) -> bool:
        """Whether the value is one of these for sure."""
        return self.kind is not None and self.kind.within(*names)

    def sure(self) -> Expression:
        """The expression, where it is surely there: for what takes a missing value for nothing here.

        Raises:
            Mistake: it is an item of a list that may be shorter.
        """
        if self.is_open:
            message = f"`{self.shown}` is an error in Pebble where the list is shorter, and is taken for nothing here"
            raise self.refused(message, "read an item that is surely there")
        return self

    def refused(self, message: str, hint: str) -> Mistake:
        """A mistake at its place."""
        return Mistake(message, self.start, self.end, hint)


def quoted(words: str) -> str:
    """A text as a template writes it."""
    escaped = words.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return f'"{escaped}"' if "'" in words and '"' not in words else "'" + escaped.replace("'", "\\'") + "'"
