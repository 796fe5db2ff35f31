"""A checked document to a program: every step a function that is ready to run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.document import Document, Module, StepNode
from flowdsl.errors import TemplateError
from flowdsl.reader import Node
from flowdsl.scalars import span_in
from flowdsl.signals import Signal
from flowdsl.source import Span
from flowdsl.spec import BLOCK_TYPES
from flowdsl.template import compile as compile_template
from flowdsl.template import parse, parse_expression

if TYPE_CHECKING:
    from flowdsl.engine import Run
    from flowdsl.limits import Limits
    from flowdsl.registry import Registry
    from flowdsl.step import Step

Names = Mapping[str, Any]
Resolver = Callable[[dict[str, Any], Names], Any]
"""Gives the value of an option from the FlowContext and the other names."""
Call = Callable[["Run"], "Awaitable[Signal | None] | Signal | None"]
"""Runs a step, at once or by an awaitable; gives the signal it ends with, if any."""


class Operation:
    """One step, ready to run."""

    __slots__ = ("call", "label", "name", "path", "span", "wrote")

    def __init__(self, step: StepNode, call: Call, label: Resolver | None) -> None:
        self.name = step.spec.name
        self.path = step.path
        self.span: Span = step.name_node.span
        self.call = call
        self.label = label
        self.wrote = tuple(dict.fromkeys(name for name, _ in step.writes()))


class Program:
    """The operations of a flow, the resolvers of its outputs (None: the outputs are the FlowContext), its `onError`."""

    __slots__ = ("_compiler", "_flows", "_scopes", "document", "on_error", "operations", "outputs")

    def __init__(self, document: Document, compiler: Compiler) -> None:
        from flowdsl.scopes import Scopes

        outputs = document.outputs
        self.document = document
        self.operations = compiler.operations(document.steps)
        self.on_error = None if document.on_error is None else compiler.operations(document.on_error)
        self.outputs = None if outputs is None else {name: compiler.resolver(node) for name, node in outputs.items()}
        self._compiler = compiler
        self._flows: dict[int, tuple[Operation, ...]] = {}
        self._scopes = Scopes(document, compiler) if document.scopes or document.imports else None

    def names_for(self, run: Run, module: Module | None = None) -> Names:
        """The names of a run with its namespaces of blocks; inside a module `imports` are the module's."""
        return run.names if self._scopes is None else self._scopes.names_for(run, module)

    def flow(self, steps: list[StepNode]) -> tuple[Operation, ...]:
        """The operations of a reusable flow, compiled on its first call."""
        found = self._flows.get(id(steps))
        if found is None:
            found = self._flows[id(steps)] = self._compiler.operations(steps)
        return found


class Site:
    """Where a step is compiled: its node, and the tools to make resolvers and blocks of its options."""

    __slots__ = ("compiler", "step")

    def __init__(self, step: StepNode, compiler: Compiler) -> None:
        self.step = step
        self.compiler = compiler

    def resolver(self, name: str) -> Resolver:
        """The resolver of an option that is present, by what kind of key it is."""
        node, key = self.step.keys[name], self.step.spec.keys.get(name)
        if key is None:
            return self.compiler.resolver(node)
        if key.type in BLOCK_TYPES:
            return constant(self.blocks(name))
        if key.expression:
            return self.compiler.expression(node)
        if key.verbatim:
            return constant(node.plain())
        return self.compiler.resolver(node, strict=False if key.condition else None)

    def unplaced(self, name: str) -> Resolver:
        """The resolver of an option whose TemplateErrors the caller hands to `locate`: one call less for each value."""
        node, key = self.step.keys[name], self.step.spec.keys.get(name)
        if node.kind != "scalar" or is_constant(node) or (key is not None and (key.verbatim or key.expression)):
            return self.resolver(name)
        return self.compiler.template(node)

    def locate(self, key: str, error: TemplateError, names: Names) -> None:
        """Completes an error of an option's template with its place in the file."""
        _locate(error, self.step.keys[key], names)

    def blocks(self, name: str) -> Any:
        """The blocks of an option that holds steps: one, a list or a map, as the option has them."""
        from flowdsl.step import Block

        step = self.step
        made = {
            path: Block(self.compiler.operations(steps), f"{step.path}.{path}")
            for path, steps in step.blocks.items()
            if path == name or path.startswith((f"{name}.", f"{name}["))
        }
        kind = step.spec.keys[name].type
        if kind == "branches":
            return list(made.values())
        if kind == "cases":
            return {path.removeprefix(f"{name}."): block for path, block in made.items()}
        return made.get(name)


class Compiler:
    """Makes the operations of one document."""

    def __init__(
        self,
        document: Document,
        registry: Registry,
        limits: Limits,
        placeholders: Iterable[str],
        *,
        autoescape: bool = False,
    ) -> None:
        self.document = document
        self.autoescape = autoescape
        self.registry = registry
        self.limits = limits
        self.placeholders = frozenset(placeholders)
        self.taint = _mentions_secrets(document)

    def program(self) -> Program:
        """The program of the document."""
        return Program(self.document, self)

    def operations(self, steps: Iterable[StepNode]) -> tuple[Operation, ...]:
        """The operations of a list of steps."""
        from flowdsl.leaf import leaf_call

        operations = []
        for step in steps:
            cls: type[Step] = self.registry.step_class(step.spec.name)
            site = Site(step, self)
            call = cls.compile(site) or leaf_call(cls, site)
            label = self.resolver(step.label) if step.label is not None else None
            operations.append(Operation(step, call, label))
        return tuple(operations)

    def resolver(self, node: Node, *, strict: bool | None = None) -> Resolver:
        """The resolver of a node; maps and lists are made anew each time."""
        if node.kind == "list":
            items = [self.resolver(item) for item in node.value]
            return lambda context, names: [item(context, names) for item in items]
        if node.kind == "map":
            pairs = [(key, self.resolver(item)) for key, item in node.value.items()]
            return lambda context, names: {key: item(context, names) for key, item in pairs}
        value = node.value
        if not isinstance(value, str) or "{" not in value:
            return lambda context, names: value
        return _located(self.template(node, strict), node)

    def template(self, node: Node, strict: bool | None = None) -> Resolver:
        """The resolver of a scalar that holds a template; its errors know no place in the file."""
        value = node.value
        strict = not self.document.lenient if strict is None else strict
        return compile_template(
            parse(value),
            strict=strict,
            native=True,
            taint=self.taint,
            placeholders=self.placeholders,
            autoescape=self.autoescape,
            limits=self.limits.template,
        )

    def expression(self, node: Node) -> Resolver:
        """The resolver of a bare expression; undefined is None there."""
        if not isinstance(node.value, str):
            return constant(node.plain())
        compiled = compile_template(
            parse_expression(node.value), strict=False, native=True, taint=self.taint, limits=self.limits.template
        )
        return _located(compiled, node)


def constant(value: Any) -> Resolver:
    """The resolver of a value that never changes."""
    return lambda context, names: value


def _located(compiled: Resolver, node: Node) -> Resolver:
    """The resolver with the place in the file on its errors."""

    def resolve(context: dict[str, Any], names: Names) -> Any:
        try:
            return compiled(context, names)
        except TemplateError as error:
            _locate(error, node, names)
            raise

    return resolve


def _locate(error: TemplateError, node: Node, names: Names) -> None:
    """Completes an error of a template with its place in the file."""
    if error.span is None:
        error.span = node.span if error.start is None else span_in(node, error.start, error.end or error.start + 1)
        error.hint = _hidden(error, node, names) or error.hint


def _hidden(error: TemplateError, node: Node, names: Names) -> str | None:
    """The hint when a template asks for an attribute that the host did not expose."""
    if error.start is None:
        return None
    from flowdsl.template.members import hidden_attribute

    path = hidden_attribute(node.value[error.start : error.end].partition("(")[0].strip(), names)
    if path is None:
        return None
    target, _, name = path.rpartition(".")
    return f"templates see only what the host exposes: flowdsl.template.exposed({target}, {name!r})"


def _mentions_secrets(document: Document) -> bool:
    """Whether a secret can reach a template: only then values are tracked."""
    text = document.source.text
    return "secret" in text or "\\" in text  # an escape can spell the word otherwise


def is_constant(node: Node) -> bool:
    """Whether a node holds no template and no `{name}`."""
    if node.kind == "scalar":
        return not isinstance(node.value, str) or "{" not in node.value
    return all(is_constant(child) for child in (node.value if node.kind == "list" else node.value.values()))
