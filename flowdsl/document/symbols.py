"""The names of a document: where each is defined, and everywhere it is used. The checker and editors ask this table.

A name is used for sure where a template reads it or a key of the language names it, and perhaps where a plain text is
spelt like it: an option such as a loop's items may be a path. No path is followed here, so that a variable is one name
wherever it is set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from flowdsl.document.document import BlockSet, Document, Module, StepNode
from flowdsl.document.flow_file import OpenFlows
from flowdsl.document.root_keys import NAMESPACES
from flowdsl.source import Span
from flowdsl.step.flow_shapes import Call
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.syntax.node import Node
from flowdsl.syntax.scalars import span_in
from flowdsl.template import parse, parse_expression

Kind = Literal["variable", "block", "import", "service", "input", "template"]
WHOLE = "*"
"""The name that stands for every name, where one is computed."""
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_LONGEST_PATH = 200


class Occurrence(NamedTuple):
    """One place of a name: a node, and the part of its text that is the name (None: all of it)."""

    kind: Kind
    name: str
    node: Node
    part: tuple[int, int] | None = None
    certain: bool = True

    @property
    def span(self) -> Span:
        """The characters of the name in the file."""
        return self.node.span if self.part is None else span_in(self.node, *self.part)


class SymbolTable:
    """The definitions and uses of a document, each in the order in which the document is built.

    A block's name is its path: `local.constants.city`, `imports.shades.flows.paint`. An import and its blocks are names
    of their own. A declared input defines the variable of its name too, which it sets.
    """

    def __init__(self, document: Document, flows: Sequence[Sequence[StepNode]]) -> None:
        self._document = document
        self._flows = flows

    @cached_property
    def definitions(self) -> tuple[Occurrence, ...]:
        """Every place that defines a name."""
        return tuple(_definitions(self._document, self._flows))

    @cached_property
    def uses(self) -> tuple[Occurrence, ...]:
        """Every place that uses a name, perhaps or for sure."""
        return tuple(_uses(self._document, self._flows))

    def defined(self, kind: Kind) -> dict[str, Occurrence]:
        """The names of a kind, each with its first definition."""
        found: dict[str, Occurrence] = {}
        for occurrence in self.definitions:
            if occurrence.kind == kind:
                found.setdefault(occurrence.name, occurrence)
        return found

    def used(self, kind: Kind) -> set[str]:
        """The names of a kind that are used, perhaps or for sure; `WHOLE` among them when any may be."""
        return {occurrence.name for occurrence in self.uses if occurrence.kind == kind}

    def definitions_of(self, kind: Kind, name: str) -> list[Span]:
        """Every place that defines a name."""
        return [found.span for found in self.definitions if (found.kind, found.name) == (kind, name)]

    def uses_of(self, kind: Kind, name: str, *, certain: bool = True) -> list[Span]:
        """Every place that uses a name; with `certain=False` those too that only may."""
        found = (use for use in self.uses if (use.kind, use.name) == (kind, name))
        return [use.span for use in found if use.certain or not certain]

    def at(self, offset: int) -> Occurrence | None:
        """The name that stands at an offset of the document's own file, or None; the smallest when several do."""
        own = [found for found in (*self.definitions, *self.uses) if found.certain]
        there = [found for found in own if found.span.start <= offset < found.span.end]
        return min(there, key=lambda found: found.span.end - found.span.start, default=None)


def symbols(part: Document | OpenFlows) -> SymbolTable:
    """The table of a flow, or of flows that others call with the names that they see. Nothing is raised or reported."""
    document = part.document if isinstance(part, OpenFlows) else part
    own = part.flows if isinstance(part, OpenFlows) else (document.steps, document.on_error or ())
    return SymbolTable(document, own)


def _definitions(document: Document, flows: Iterable[Sequence[StepNode]]) -> Iterator[Occurrence]:
    inputs = document.root.value.get("inputs") if document.root.kind == "map" else None
    if inputs is not None:
        for name, key in inputs.keys.items():
            yield Occurrence("input", name, key)
            yield Occurrence("variable", name, key)
    for name, node in document.services.items():
        yield Occurrence("service", name, _key_of(document, name) or node)
    for space, blocks in document.scopes.items():
        yield from _of_blocks(space, blocks)
    for alias, module in document.imports.items():
        yield Occurrence("import", alias, _as_node(module))
        yield from _of_blocks(f"imports.{alias}", module.blocks)
    for name, steps in document.templates.items():
        if steps:
            yield Occurrence("template", name, steps[0].name_node)
    for flow in (*flows, *_reusable(document)):
        yield from _written(flow)


def _key_of(document: Document, name: str) -> Node | None:
    services = document.root.value.get("services") if document.root.kind == "map" else None
    return services.keys.get(name) if services is not None else None


def _as_node(module: Module) -> Node:
    """The alias of a module as a node: all that is known of it is its place."""
    return Node("scalar", module.at.text, module.at.source, module.at.start, module.at.end)


def _of_blocks(space: str, blocks: BlockSet) -> Iterator[Occurrence]:
    for (kind, name), key in blocks.keys.items():
        yield Occurrence("block", f"{space}.{kind}.{name}", key)


def _reusable(document: Document) -> Iterator[Sequence[StepNode]]:
    for blocks in document.scopes.values():
        yield from blocks.flows.values()
    yield from document.templates.values()


def _written(steps: Sequence[StepNode]) -> Iterator[Occurrence]:
    for step in steps:
        for name, node in step.writes():
            yield Occurrence("variable", name, node)
        for block in step.blocks:
            yield from _written(block.steps)


def _uses(document: Document, flows: Iterable[Sequence[StepNode]]) -> Iterator[Occurrence]:
    inputs = frozenset(document.inputs or ())
    for steps in (*flows, *_reusable(document)):
        yield from _of_steps(steps, inputs)
    for blocks in document.scopes.values():
        for node in blocks.vars.values():
            yield from _of_node(node, inputs)
    for node in (*(document.outputs or {}).values(), *document.services.values()):
        yield from _of_node(node, inputs)


def read_by(step: StepNode) -> set[str]:
    """The variables that a step itself uses, perhaps or for sure, without the steps inside it."""
    return {found.name for found in _of_step(step, frozenset()) if found.kind == "variable"}


def _of_steps(steps: Sequence[StepNode], inputs: frozenset[str]) -> Iterator[Occurrence]:
    for step in steps:
        yield from _of_step(step, inputs)
        for block in step.blocks:
            yield from _of_steps(block.steps, inputs)


def _of_step(step: StepNode, inputs: frozenset[str]) -> Iterator[Occurrence]:
    yield from _of_ports(step)
    if step.service is not None and isinstance(step.service.value, str):
        yield Occurrence("service", step.service.value, step.service)
    if step.label is not None:
        yield from _of_node(step.label, inputs)
    for name, node in step.keys.items():
        key = step.spec.keys.get(name)
        if key is not None and key.expression and isinstance(node.value, str):
            yield from _of_template(node, inputs, expression=True)
        elif key is None or key.type not in BLOCK_TYPES:
            yield from _called(step, name, node)
            yield from _of_node(node, inputs)


def _of_ports(step: StepNode) -> Iterator[Occurrence]:
    """What a step reads as its inputs: those it names, and those of its types that it does not."""
    for port in step.inputs:
        first = port.name.partition(".")[0]
        yield Occurrence("variable", first, port.node, (0, len(first)))
    named = {port.type for port in step.inputs}
    for port_type in (port.type for port in step.spec.inputs):
        if port_type not in named:
            yield Occurrence("variable", port_type, step.name_node, certain=False)


def _called(step: StepNode, name: str, node: Node) -> Iterator[Occurrence]:
    """The flow that a step calls; every flow and variable where a template chooses it."""
    flow, text = step.spec.flow, node.value
    if not isinstance(flow, Call) or name not in (flow.ref, flow.name) or not isinstance(text, str):
        return
    if "{" in text:
        yield Occurrence("block", WHOLE, node, certain=False)
        yield Occurrence("variable", WHOLE, node, certain=False)
    elif name == flow.name:
        yield Occurrence("template", text, node)
    else:
        yield from _of_path(text.split("."), node, 0, certain=True)


def _of_node(node: Node, inputs: frozenset[str]) -> Iterator[Occurrence]:
    """What all texts in a node name."""
    if node.kind != "scalar":
        for child in node.value if node.kind == "list" else node.value.values():
            yield from _of_node(child, inputs)
    elif isinstance(node.value, str):
        if "{" in node.value:
            yield from _of_template(node, inputs)
        elif len(node.value) < _LONGEST_PATH and _PATH.fullmatch(node.value):
            yield from _of_path(node.value.split("."), node, 0, certain=False)


def _of_template(node: Node, inputs: frozenset[str], *, expression: bool = False) -> Iterator[Occurrence]:
    text = node.value
    for reference in (parse_expression(text) if expression else parse(text)).references:
        yield from _of_path((reference.root, *reference.path), node, reference.start, certain=True)
    for found in _PLACEHOLDER.finditer(text) if inputs else ():
        if found[1] in inputs:
            yield Occurrence("input", found[1], node, found.span(1))


def _of_path(parts: Sequence[str], node: Node, start: int, *, certain: bool) -> Iterator[Occurrence]:
    """What a chain of names means: a variable, an input, a block or an import."""
    root, *rest = parts
    if root == "flowContext":
        name = rest[0] if rest else WHOLE
        yield Occurrence("variable", name, node, _place(node, start, root, rest[:1]), certain)
    elif root == "inputs":
        yield Occurrence("input", rest[0] if rest else WHOLE, node, _place(node, start, root, rest[:1]), certain)
        yield Occurrence("variable", root, node, (start, start + len(root)), certain=False)
    elif root in NAMESPACES:
        if root == "imports":
            yield Occurrence("import", rest[0] if rest else WHOLE, node, _place(node, start, root, rest[:1]), certain)
        path = rest[: 3 if root == "imports" else 2]
        yield Occurrence("block", ".".join((root, *path)), node, _place(node, start, root, path), certain)
    else:
        yield Occurrence("variable", root, node, (start, start + len(root)), certain)


def _place(node: Node, start: int, root: str, path: Sequence[str]) -> tuple[int, int] | None:
    """Where the last name of a chain stands in a text: behind dots, or in brackets and quotes."""
    at = start + len(root)
    for name in path:
        found = node.value.find(name, at)
        if found < 0:
            return (start, max(start + 1, at))
        at = found + len(name)
    return (at - len(path[-1]), at) if path else (start, at)
