"""One template at its place, and what those who walk it ask of the names of the document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from flowdsl.syntax.scalars import span_in

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.flow.state import State
    from flowdsl.checker.types.kinds import Type
    from flowdsl.document.document import Document, Module
    from flowdsl.source import Span
    from flowdsl.syntax.yaml_reader import Node
    from flowdsl.template import Template


class Part(NamedTuple):
    """One member name of a chain: `key` is None when it is computed."""

    key: str | None
    start: int
    end: int


class Use:
    """One template at its place: whose names are reported once, and whether undefined is harmless throughout."""

    __slots__ = ("lax", "node", "reported", "shift", "state")

    def __init__(self, node: Node, state: State, lax: bool, shift: int = 0) -> None:
        self.node = node
        self.state = state
        self.lax = lax
        self.shift = shift
        """Where the template begins in the text of the node."""
        self.reported: set[str] = set()

    @property
    def text(self) -> str:
        """The text that offsets of the template count in."""
        return str(self.node.value)[self.shift :]

    def span(self, start: int, end: int) -> Span:
        """The characters of the template as they stand in the file."""
        return span_in(self.node, start + self.shift, end + self.shift)

    def at(self, shift: int, lax: bool) -> Use:
        """The use of a part of the template."""
        part = Use(self.node, self.state, lax, self.shift + shift)
        part.reported = self.reported
        return part


class NameTable(Protocol):
    """What names mean in one document, for those who walk a template: `name_resolution.Names` is it."""

    document: Document
    findings: Findings
    lenient: bool
    """Whether printing an undefined value is no error."""
    module: Module | None
    """The module whose names are meant; None is the document itself."""
    foreign: bool
    """Whether the blocks of the caller are not known, as in a module."""

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
        """The type of `root.a.b`, where `end` is where its plain names end."""
        ...

    def members(self, target: Type, parts: Sequence[Part], index: int, shown: str, use: Use, quiet: bool) -> Type:
        """The type of further members; reports those a value does not have."""
        ...

    def printed(self, type: Type, use: Use, start: int, end: int) -> None:
        """Reports a value whose text says nothing."""
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
