"""A checked document to a program: every step a function that is ready to run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.document.document import Document, Module, StepNode, inside
from flowdsl.engine.bound_step import BoundStep
from flowdsl.engine.namespaces import Namespaces
from flowdsl.engine.program import CompiledStep, Program
from flowdsl.engine.resolvers import constant, is_constant, locate, located
from flowdsl.errors import TemplateError
from flowdsl.step.block import Block
from flowdsl.step.compiling import Names, Resolver
from flowdsl.step.flow_shapes import Call
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.syntax.node import Node
from flowdsl.template import compile as compile_template
from flowdsl.template import parse, parse_expression
from flowdsl.template.operators import finite

if TYPE_CHECKING:
    from flowdsl.limits import Limits
    from flowdsl.step.registry import Registry
    from flowdsl.template.filters import Filters


class PlacedCompiler:
    """The compiler at the place of one step: the `StepCompiler` of the engine."""

    __slots__ = ("compiler", "keys", "step")

    def __init__(self, step: StepNode, compiler: Compiler) -> None:
        self.step = step
        self.keys = step.keys
        self.compiler = compiler

    def resolver(self, name: str) -> Resolver:
        """The resolver of an option that is present, by what kind of key it is."""
        node, key = self.step.keys[name], self.step.spec.keys.get(name)
        if key is None:
            return self.compiler.resolver(node)
        if key.type in BLOCK_TYPES:
            return constant(self.blocks(name))
        if key.expression:
            return self.compiler.expression(node, strict=not key.condition)
        if key.verbatim:
            return constant(node.plain())
        return self.compiler.resolver(node, strict=False if key.condition else None)

    def unplaced(self, name: str) -> Resolver:
        """The resolver of an option whose TemplateErrors the caller hands to `locate`: one call less for each value."""
        node, key = self.step.keys[name], self.step.spec.keys.get(name)
        if node.kind != "scalar" or is_constant(node) or (key is not None and (key.verbatim or key.expression)):
            return self.resolver(name)
        return self.compiler.template(node)

    def locate(self, key: str, error: TemplateError, names: Names, context: Mapping[str, Any] | None = None) -> None:
        """Completes an error of an option's template with its place in the file."""
        locate(error, self.step.keys[key], names, context)

    @property
    def of_host(self) -> bool:
        """Whether the step is one that the host added."""
        return self.step.spec.name in self.compiler.registry.of_host

    def blocks(self, name: str) -> Any:
        """The blocks of an option that holds steps: one, a list or a map, as the option has them."""
        step = self.step
        made = {
            block.name: Block(self.compiler.steps(block.steps), block.path)
            for block in step.blocks
            if block.key == name
        }
        kind = step.spec.keys[name].type
        if kind == "branches":
            return list(made.values())
        return made if kind == "cases" else made.get(None)


class Compiler:
    """Makes the program of one document."""

    def __init__(
        self,
        document: Document,
        registry: Registry,
        limits: Limits,
        placeholders: Iterable[str],
        *,
        autoescape: bool = False,
        taint: bool = True,
        filters: Filters = (),
    ) -> None:
        self.document = document
        self.autoescape = autoescape
        self.registry = registry
        self.limits = limits
        self.placeholders = frozenset(placeholders)
        self.taint = taint
        self.filters = filters
        self.writes_files = False
        self.calls: list[StepNode] = []

    def program(self) -> Program:
        """The program of the document."""
        document = self.document
        outputs, on_error = document.outputs, document.on_error
        steps = self.steps(document.steps)
        return Program(
            document,
            steps,
            None if on_error is None else self.steps(on_error),
            None if outputs is None else {name: self.resolver(node) for name, node in outputs.items()},
            self._namespaces(),
            self.steps,
            self.registry.step_class,
            lambda step, name: PlacedCompiler(step, self).resolver(name),
            marks=self.taint,
            writes_files=self.writes_files or any(self._writes_files(call, None, []) for call in self.calls),
            filters=self.filters,
        )

    def _namespaces(self) -> Namespaces | None:
        if not (self.document.scopes or self.document.imports):
            return None
        return Namespaces(self.document, self.resolver, self.limits.template.max_seconds)

    def steps(self, steps: Iterable[StepNode]) -> tuple[CompiledStep, ...]:
        """A list of steps, compiled."""
        return tuple(map(self._step, steps))

    def _step(self, step: StepNode) -> CompiledStep:
        cls = self.registry.step_class(step.spec.name)
        self.writes_files = self.writes_files or cls.writes_files
        if isinstance(step.spec.flow, Call):
            self.calls.append(step)
        placed = PlacedCompiler(step, self)
        execute: Any = cls.compile(placed) or BoundStep(cls, placed).execute
        return CompiledStep(step, execute, self.resolver(step.label) if step.label is not None else None)

    def _writes_files(self, call: StepNode, module: Module | None, seen: list[object]) -> bool:
        """Whether a step of a called flow writes into the output folder; flows are compiled on their first call."""
        steps, inner = self.document.called(call, module) or ((), None)
        if steps in seen:
            return False
        seen.append(steps)
        return any(
            self._writes_files(step, inner, seen)
            if isinstance(step.spec.flow, Call)
            else self.registry.step_class(step.spec.name).writes_files
            for outer in steps
            for step in inside(outer)
        )

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
        return located(self.template(node, strict), node)

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
            filters=self.filters,
        )

    def expression(self, node: Node, *, strict: bool) -> Resolver:
        """The resolver of a bare expression; undefined is None there. With `strict`, in a flow that is, NaN and
        Infinity are errors."""
        if not isinstance(node.value, str):
            return constant(node.plain())
        compiled = compile_template(
            parse_expression(node.value),
            strict=False,
            native=True,
            taint=self.taint,
            limits=self.limits.template,
            filters=self.filters,
        )
        return located(_finite(compiled, node.value) if strict and not self.document.lenient else compiled, node)


def _finite(compiled: Resolver, text: str) -> Resolver:
    """A resolver of an expression that gives no NaN and nothing infinite."""

    def resolve(context: dict[str, Any], names: Names) -> Any:
        return finite(compiled(context, names), text)

    return resolve
