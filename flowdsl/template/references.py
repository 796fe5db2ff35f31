"""What a template reads, and the filters and tests it names that do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.template.foreign import ForeignText
from flowdsl.template.nodes import (
    Arguments,
    Binary,
    Body,
    Call,
    Chain,
    Choice,
    FilterBlock,
    Filtered,
    For,
    If,
    Literal,
    Member,
    Name,
    Node,
    Output,
    Set,
    Switch,
    Tested,
    Text,
    Unary,
)
from flowdsl.template.problems import TemplateProblem
from flowdsl.template.syntax import BUILTIN_NAMES, Reference, Template

if TYPE_CHECKING:
    from flowdsl.template.filters import Filter, Filters


def settled(template: Template, filters: Filters) -> Template:
    """The template with the problems that it has where a host brings these filters too."""
    if not filters or template.body is None or isinstance(template.text, ForeignText):
        return template
    if not any(each.code == "unknown-filter" for each in template.problems):
        return template
    from flowdsl.template.filters import with_own

    return examine(template, with_own(filters))


def examine(template: Template, filters: Mapping[str, Filter] | None = None) -> Template:
    """The template with its references and with the problems of names it uses; `filters` are all there are."""
    walk = _Walk(filters)
    walk.body(template.body or [], frozenset())
    return template._replace(
        references=tuple(walk.references), problems=tuple(walk.problems), calls_secret=walk.calls_secret
    )


class _Walk:
    def __init__(self, filters: Mapping[str, Filter] | None) -> None:
        self._filters = filters
        self.references: list[Reference] = []
        self.problems: list[TemplateProblem] = []
        self.calls_secret = False

    def body(self, body: Body, bound: frozenset[str]) -> frozenset[str]:
        """Walk statements; gives the names that are bound behind them."""
        for statement in body:
            if type(statement) is Text:
                continue
            if isinstance(statement, Output):
                self.node(statement.expression, bound)
            elif isinstance(statement, If):
                after = bound
                for condition, inner in statement.branches:
                    if condition is not None:
                        self.node(condition, bound, guarded=True)
                    after |= self.body(inner, bound)
                bound = after
            elif isinstance(statement, For):
                self.node(statement.items, bound)
                inside = bound | {*statement.names, "loop"}
                self.body(statement.body, inside)
                self.body(statement.otherwise, bound)
            elif isinstance(statement, Set):
                if statement.value is not None:
                    self.node(statement.value, bound)
                self.body(statement.body, bound)
                bound |= set(statement.names)
            elif isinstance(statement, Switch):
                bound = self.switch(statement, bound)
            elif isinstance(statement, FilterBlock):
                bound = self.body(statement.body, bound)
                self.node(statement.filtered, bound | {""})
        return bound

    def switch(self, statement: Switch, bound: frozenset[str]) -> frozenset[str]:
        self.node(statement.subject, bound, guarded=True)
        after = bound
        for case, inner in statement.cases:
            self.node(case, bound)
            after |= self.body(inner, bound)
        return after | self.body(statement.otherwise, bound)

    def node(self, node: Node, bound: frozenset[str], guarded: bool = False, called: bool = False) -> None:
        kind = type(node)
        if kind is Literal:
            return
        if kind is Name or kind is Member:
            self.reference(node, bound, guarded, called)
        elif isinstance(node, Binary):
            with_none = any(type(part) is Literal and part.value is None for part in (node.left, node.right))
            here = guarded or (with_none and node.operator[-1] == "=")
            self.node(node.left, bound, here)
            self.node(node.right, bound, here)
        elif isinstance(node, Call):
            if isinstance(node.target, Name) and node.target.name == "secret":
                self.calls_secret = True
            self.node(node.target, bound, guarded, called=True)
            self.arguments(node.arguments, bound)
        elif isinstance(node, Filtered):
            self.filtered(node, bound, guarded)
        elif isinstance(node, Tested):
            self.tested(node, bound)
        elif isinstance(node, Choice):
            self.node(node.condition, bound, guarded=True)
            self.each([p for p in (node.value, node.other) if p is not None], bound, guarded)
        elif isinstance(node, Chain) and node.operators[0] == "or":
            self.each(node.operands[:-1], bound, guarded=True)
            self.node(node.operands[-1], bound, guarded)
        else:
            harmless = guarded or (isinstance(node, Unary) and node.operator == "not")
            self.each(list(node.parts()), bound, harmless)

    def arguments(self, arguments: Arguments, bound: frozenset[str]) -> None:
        if arguments.values or arguments.named:
            self.each(list(arguments.parts()), bound)

    def each(self, nodes: list[Node], bound: frozenset[str], guarded: bool = False) -> None:
        for node in nodes:
            self.node(node, bound, guarded)

    def reference(self, node: Node, bound: frozenset[str], guarded: bool, called: bool) -> None:
        """Record `root.path`; what stands in brackets is walked on its own."""
        path: list[str] = []
        start_of_chain = node
        while type(node) is Member:
            key = node.key
            if type(key) is Literal:
                path.append(key.value if type(key.value) is str else _text_of(key.value))
            else:
                path.clear()
                start_of_chain = node.target
                self.node(node.key, bound)
            node = node.target
        if not isinstance(node, Name):
            self.node(node, bound, guarded)
        elif node.name not in bound and node.name not in BUILTIN_NAMES:
            whole = called and len(path) == _length(start_of_chain) and isinstance(start_of_chain, (Name, Member))
            self.references.append(
                Reference(node.name, tuple(reversed(path)), node.start, start_of_chain.end, guarded, whole)
            )

    def filtered(self, node: Filtered, bound: frozenset[str], guarded: bool) -> None:
        from flowdsl.template.filters import FILTERS, from_elsewhere

        filters = FILTERS if self._filters is None else self._filters
        known = filters.get(node.name)
        self.node(node.target, bound, guarded or (known is not None and known.replaces_undefined))
        self.arguments(node.arguments, bound)
        if known is None:
            self.unknown("filter", node.name, node.at, list(filters), from_elsewhere(node.name))
            return
        if known.of_host:
            self.counted(node, known)
        if known.arguments is not None:
            for keyword in node.arguments.named:
                if keyword.name not in known.arguments:
                    takes = ", ".join(f"`{name}`" for name in known.arguments) or "none"
                    message = f"the filter `{node.name}` has no argument `{keyword.name}`"
                    end = keyword.start + len(keyword.name)
                    self.problems.append(
                        TemplateProblem("template-syntax", message, keyword.start, end, f"its arguments: {takes}")
                    )
        if node.name in ("select", "reject") and node.arguments.values:
            first = node.arguments.values[0]
            if isinstance(first, Literal) and isinstance(first.value, str):
                self.test_name(first.value, first.start + 1)

    def counted(self, node: Filtered, known: Filter) -> None:
        """Reports too many or too few arguments for a function of the host; our own filters drop what is too much."""
        names, given = known.arguments, len(node.arguments.values)
        if names is None:
            return
        missing = set(names[given : known.required]) - {keyword.name for keyword in node.arguments.named}
        if given <= len(names) and not missing:
            return
        takes = ", ".join(f"`{name}`" for name in names) or "none"
        wrong = f"needs `{sorted(missing)[0]}`" if missing else f"takes no {given} arguments"
        end = node.at + len(node.name)
        message = f"the filter `{node.name}` {wrong}"
        self.problems.append(TemplateProblem("template-syntax", message, node.at, end, f"its arguments: {takes}"))

    def tested(self, node: Tested, bound: frozenset[str]) -> None:
        from flowdsl.template.tests import ACCEPT_UNDEFINED

        self.node(node.target, bound, guarded=node.name in ACCEPT_UNDEFINED)
        self.arguments(node.arguments, bound)
        self.test_name(node.name, node.at)

    def test_name(self, name: str, at: int) -> None:
        from flowdsl.template.tests import TESTS

        if name not in TESTS:
            other = {"true": "== true", "false": "== false", "in": "in", "sequence": "is iterable"}.get(name)
            hint = f"write `{other}`" if other else None
            self.unknown("test", name, at, list(TESTS), None, hint)

    def unknown(
        self, kind: str, name: str, at: int, names: list[str], other: str | None, hint: str | None = None
    ) -> None:
        from flowdsl.nearest import nearest

        near = other or nearest(name, names)
        if hint is None and near:
            hint = f"did you mean `{near}`?"
        else:
            near = None
        message = f"there is no {kind} named `{name}`"
        self.problems.append(TemplateProblem(f"unknown-{kind}", message, at, at + len(name), hint, near))


def _length(node: Node) -> int:
    count = 0
    while isinstance(node, Member):
        node = node.target
        count += 1
    return count


def _text_of(key: Any) -> str:
    """The name of a member that is asked for by a number or another constant."""
    from flowdsl.template.values import property_key

    return property_key(key)
