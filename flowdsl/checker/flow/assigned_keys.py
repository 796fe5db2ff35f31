"""Which FlowContext keys steps write, looked at without following any path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowdsl.document.document import Document, Module, StepNode
from flowdsl.document.root_keys import NAMESPACES
from flowdsl.step.flow_shapes import Assign, Call
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.syntax.node import Node
from flowdsl.template import parse, parse_expression


def first_writes(steps: Iterable[StepNode], found: dict[str, Node] | None = None) -> dict[str, Node]:
    """Every FlowContext key that steps, or steps inside them, write → the first place that does; added to `found`."""
    found = {} if found is None else found
    for step in steps:
        for name, node in step.writes():
            found.setdefault(name, node)
        for block in step.blocks:
            first_writes(block.steps, found)
    return found


def mentioned(steps: Sequence[StepNode], document: Document, module: Module | None) -> frozenset[str] | None:
    """Every FlowContext key that steps and the flows they call read or write; None when that cannot be known."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting: list[tuple[Sequence[StepNode], Module | None]] = [(steps, module)]
    while waiting:
        block, inside = waiting.pop()
        if id(block) in seen:
            continue
        seen.add(id(block))
        for step in block:
            flow = step.spec.flow
            found.update(name for name, _ in step.writes())
            found.update(port.type for port in step.spec.inputs)
            if isinstance(flow, Assign):
                found.add(flow.result)
            found.update(port.name.partition(".")[0] for port in step.inputs)
            for node in (*step.keys.values(), *([step.label] if step.label is not None else [])):
                if not _names_in(node, step, found):
                    return None
            waiting += [(inner.steps, inside) for inner in step.blocks]
            if isinstance(flow, Call):
                called = _called(step, flow, document, inside)
                if called is None:
                    return None
                waiting.append(called)
    return frozenset(found)


def _called(
    step: StepNode, flow: Call, document: Document, module: Module | None
) -> tuple[Sequence[StepNode], Module | None] | None:
    ref, name = step.keys.get(flow.ref or ""), step.keys.get(flow.name or "")
    if ref is not None and ref.value is not None:
        return document.flow_of(ref.value, module) if isinstance(ref.value, str) else None
    found = document.templates.get(name.value) if name is not None and isinstance(name.value, str) else None
    return None if found is None else (found, module)


def _names_in(node: Node, step: StepNode, found: set[str]) -> bool:
    """Adds the names that templates in a node read; whether all of them can be known."""
    if node.kind != "scalar":
        children = node.value if node.kind == "list" else node.value.values()
        return all(_names_in(child, step, found) for child in children) if _is_data(node, step) else True
    if not isinstance(node.value, str):
        return True
    templates = [parse(node.value)] if "{" in node.value else []
    if any(key.expression and step.keys.get(key.name) is node for key in step.spec.keys.values()):
        templates = [parse_expression(node.value)]
    for template in templates:
        for reference in template.references:
            if reference.root in NAMESPACES:
                if "constants" not in reference.path[:2]:
                    return False
                continue
            if reference.root == "flowContext":
                if not reference.path:
                    return False
                found.add(reference.path[0])
            else:
                found.add(reference.root)
    return True


def _is_data(node: Node, step: StepNode) -> bool:
    """Whether a list or map is not one that holds steps."""
    for name, value in step.keys.items():
        if value is node:
            key = step.spec.keys.get(name)
            return key is None or key.type not in BLOCK_TYPES
    return True
