"""What the walkers of templates ask of each other: protocols, which only type checkers read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.flow.state import State
    from flowdsl.checker.names.template_use import Part, Use
    from flowdsl.checker.types.kinds import Type
    from flowdsl.diagnostics import Related
    from flowdsl.document.document import Document, Module
    from flowdsl.syntax.node import Node
    from flowdsl.template import Template


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
