"""One template at its place, and what those who walk it ask of the names of the document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from flowdsl.syntax.scalars import span_in

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.flow.state import State
    from flowdsl.checker.types.kinds import Type
    from flowdsl.diagnostics import Fix, Related
    from flowdsl.document.document import Document, Module
    from flowdsl.source import Span
    from flowdsl.syntax.node import Node
    from flowdsl.template import Template


class Part(NamedTuple):
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


class NameTable(Protocol):
    """What names mean in one document, for those who walk a template: `name_resolution.Names` is it.

    `start` and `end` are offsets in the text of the use. `lax` and `guarded` say that undefined is harmless: all over a
    template, or at one place, as before `| default`. `called`: what is read is called as a function.
    """

    document: Document
    findings: Findings
    lenient: bool
    """Whether printing an undefined value is no error."""
    module: Module | None
    """The module whose names are meant; None is the document itself."""
    foreign: bool
    """Whether the blocks of the caller are not known, as in a module."""
    names: frozenset[str]
    """The names that every template can read, those of the host among them."""
    at: int
    """Where the step begins that is looked at: an offset in its file."""

    @property
    def reading(self) -> tuple[Related, ...]:
        """Where the var that is being read is read, when the template is that of a var."""
        ...

    def later(self) -> dict[str, Node]:
        """Every key that a step of the document sets, with the first place that does."""
        ...

    def template(self, template: Template, node: Node, state: State, lax: bool = False) -> Type:
        """The type of what a template gives in a state; reports what it reads wrongly."""
        ...

    def chain(
        self,
        root: str,
        parts: Sequence[Part],
        use: Use,
        start: int,
        end: int,
        *,
        guarded: bool = False,
        called: bool = False,
    ) -> Type:
        """The type of `root.a.b`, of which `parts` are `a` and `b`, and `end` is where its plain names end."""
        ...

    def members(self, target: Type, parts: Sequence[Part], index: int, shown: str, use: Use, quiet: bool) -> Type:
        """The type of the members `parts[index:]` of a value of type `target`; reports those it does not have.

        `shown` is the chain up to there, as messages name it; with `quiet` nothing is reported.
        """
        ...

    def printed(self, type: Type, use: Use, start: int, end: int) -> None:
        """Reports that a value of this type, the expression from `start` to `end`, is printed, when its text says
        nothing."""
        ...


class Walk(Protocol):
    """Somebody who walks the template of a use, and the names it is read with."""

    @property
    def use(self) -> Use:
        """The template at its place."""
        ...

    @property
    def names(self) -> NameTable:
        """The names of the document."""
        ...
