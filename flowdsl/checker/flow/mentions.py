"""Which FlowContext keys flows read or write, with all that they call; worked out once for each flow."""

from __future__ import annotations

from collections.abc import Sequence

from flowdsl.document.document import Document, Module, StepNode
from flowdsl.document.root_keys import NAMESPACES
from flowdsl.step.flow_shapes import Assign, Call
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.syntax.node import Node
from flowdsl.template import parse, parse_expression

_Flow = tuple[Sequence[StepNode], Module | None]
"""The steps of a flow, and the module they stand in."""
_Key = tuple[int, int]


class Mentions:
    """What the flows of a document mention. Flows that call each other in a circle mention the same, and a flow that
    adds nothing to what it calls has the very set of that: a long chain of flows takes one look at each."""

    __slots__ = ("_document", "_known")

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known: dict[_Key, frozenset[str] | None] = {}

    def of(self, steps: Sequence[StepNode], module: Module | None) -> frozenset[str] | None:
        """Every FlowContext key that a flow and those it calls read or write; None when that cannot be known."""
        key = (id(steps), id(module))
        if key not in self._known:
            self._close((steps, module), key)
        return self._known[key]

    def _close(self, flow: _Flow, key: _Key) -> None:
        """Tarjan's walk: a flow is known once all it calls is, and those of a circle are known together."""
        visits = {key: _Visit(flow, key, 0, self._document)}
        path, unclosed = [visits[key]], [visits[key]]
        while path:
            visit = path[-1]
            if visit.calls:
                called = visit.calls.pop()
                key = (id(called[0]), id(called[1]))
                if key in self._known:
                    visit.take(self._known[key])
                elif key in visits:
                    visit.lowest = min(visit.lowest, visits[key].number)
                else:
                    visits[key] = _Visit(called, key, len(visits), self._document)
                    path.append(visits[key])
                    unclosed.append(visits[key])
                continue
            path.pop()
            if visit.lowest == visit.number:
                circle: list[_Visit] = []
                while not circle or circle[-1] is not visit:
                    circle.append(unclosed.pop())
                mentioned = _together(circle)
                self._known.update((each.key, mentioned) for each in circle)
                if path:
                    path[-1].take(mentioned)
            elif path:
                path[-1].lowest = min(path[-1].lowest, visit.lowest)


class _Visit:
    """A flow on the walk: what it mentions itself, what those it calls mention, and which of them are left to visit."""

    __slots__ = ("calls", "key", "known", "lowest", "number", "own", "parts")

    def __init__(self, flow: _Flow, key: _Key, number: int, document: Document) -> None:
        self.key = key
        self.number = self.lowest = number
        self.own: set[str] = set()
        self.calls: list[_Flow] = []
        self.parts: list[frozenset[str]] = []
        self.known = self._read(flow, document)
        """Whether all that it mentions can be known."""
        if not self.known:
            self.calls = []

    def take(self, mentioned: frozenset[str] | None) -> None:
        """Adds what a called flow mentions."""
        if mentioned is None:
            self.known = False
        elif not any(mentioned is part for part in self.parts[-1:]):
            self.parts.append(mentioned)

    def _read(self, flow: _Flow, document: Document) -> bool:
        """Reads the steps of a flow; whether all that they mention can be known."""
        found, module = self.own, flow[1]
        waiting = [flow[0]]
        while waiting:
            for step in waiting.pop():
                shape = step.spec.flow
                found.update(name for name, _ in step.writes())
                found.update(port.type for port in step.spec.inputs)
                if isinstance(shape, Assign):
                    found.add(shape.result)
                found.update(port.name.partition(".")[0] for port in step.inputs)
                for node in (*step.keys.values(), *([step.label] if step.label is not None else [])):
                    if not _names_in(node, step, found):
                        return False
                waiting += [inner.steps for inner in step.blocks]
                if isinstance(shape, Call):
                    called = _called(step, shape, document, module)
                    if called is None:
                        return False
                    self.calls.append(called)
        return True


def _together(circle: Sequence[_Visit]) -> frozenset[str] | None:
    """What flows mention that all reach each other."""
    if not all(visit.known for visit in circle):
        return None
    parts = [part for visit in circle for part in visit.parts]
    most = max(parts, key=len, default=frozenset[str]())
    more = set[str]().union(*(visit.own for visit in circle), *(part for part in parts if part is not most)) - most
    return most | more if more else most


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
