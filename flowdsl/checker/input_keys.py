"""Which keys of its inputs a flow reads: of a map, and of the items of a list, by the loops that go over it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from flowdsl.step.flow_shapes import Assign, Loop
from flowdsl.step.key import CONTEXT_PATH, is_templated
from flowdsl.template import Template, parse
from flowdsl.template.nodes import For, Member, Name
from flowdsl.template.parser import body_of
from flowdsl.template.references import examine

if TYPE_CHECKING:
    from flowdsl.document.document import Document, StepNode
    from flowdsl.syntax.node import Node

_PATH: Final = re.compile(CONTEXT_PATH.replace("$", r"\Z"))
_SAME_ITEMS: Final = re.compile(
    r"\{\{-?\s*[\w.]+(?:\s*\|\s*(?:sort|reverse|unique|select|selectattr|reject|rejectattr|compact)(?:\([^()]*\))?)*\s*-?\}\}"
)
"""A template that gives a value as it is, or some of its items."""


class Keys(NamedTuple):
    """The keys that are read of one input, in the order of the flow, each with whether it may be missing: those of the
    items of a list, and those of a map."""

    of_items: dict[str, bool]
    own: dict[str, bool]


class _Origin(NamedTuple):
    """An input, or an item of it."""

    input: str
    is_item: bool


def input_keys(document: Document) -> dict[str, Keys]:
    """The keys that a flow reads of its inputs, for each of which it reads any."""
    kinds = {name: declaration.schema.get("type", "object") for name, declaration in (document.inputs or {}).items()}
    walk = _Walk({name for name, kind in kinds.items() if kind != "object"})
    walk.steps(document.steps)
    walk.steps(document.on_error or ())
    for node in (document.outputs or {}).values():
        walk.value(node)
    return walk.found


class _Walk:
    def __init__(self, no_maps: set[str]) -> None:
        self.no_maps = no_maps
        self.found: dict[str, Keys] = {}
        self.known: dict[str, _Origin] = {}
        """FlowContext keys that hold an input, or an item of one."""

    def steps(self, steps: Iterable[StepNode]) -> None:
        """Follows steps in order."""
        for step in steps:
            self.step(step)

    def step(self, step: StepNode) -> None:
        """Reads the options of a step, then follows its blocks; what a loop keeps is read behind its steps."""
        flow, late = step.spec.flow, frozenset[str]()
        if isinstance(flow, Loop):
            late = frozenset(flow.collect[:1])
            item, items = step.item(), step.keys.get(flow.items or "")
            origin = self.origin(items)
            if item is not None:
                self.put(item[0], _Origin(origin.input, True) if origin is not None and not origin.is_item else None)
        for name, node in step.keys.items():
            if name in late or any(block.key == name for block in step.blocks):
                continue
            key = step.spec.keys.get(name)
            if key is not None and key.reads and isinstance(node.value, str) and _PATH.match(node.value):
                self.read("flowContext", tuple(node.value.removeprefix("flowContext.").split(".")), guarded=False)
            self.value(node)
            if isinstance(flow, Assign) and key is None:
                self.put(name, self.origin(node))
        for block in step.blocks:
            self.steps(block.steps)
        for name in late:
            if name in step.keys:
                self.value(step.keys[name])

    def put(self, name: str, origin: _Origin | None) -> None:
        """Takes note of what a FlowContext key holds from here on."""
        if origin is not None:
            self.known[name] = origin
        else:
            self.known.pop(name, None)

    def origin(self, node: Node | None) -> _Origin | None:
        """The input, or the item of one, that a value is."""
        if node is None or not isinstance(node.value, str) or not _SAME_ITEMS.fullmatch(node.value.strip()):
            return None
        references = parse(node.value).references
        if len(references) != 1:
            return None
        at = self.at(references[0].root, references[0].path)
        return at[0] if at is not None and not at[1] else None

    def at(self, root: str, path: tuple[str, ...]) -> tuple[_Origin, tuple[str, ...]] | None:
        """The input that a chain of names begins with, and the rest of it."""
        if root == "inputs" and path:
            return _Origin(path[0], False), path[1:]
        name, rest = (path[0], path[1:]) if root == "flowContext" and path else (root, path)
        return (self.known[name], rest) if name in self.known else None

    def read(self, root: str, path: tuple[str, ...], *, guarded: bool) -> None:
        """Takes note of the key that a chain of names reads."""
        at = self.at(root, path)
        if at is None:
            return
        origin, rest = at
        of_items = origin.is_item
        if rest and not of_items and rest[0].isdigit():
            of_items, rest = True, rest[1:]
        if rest and not rest[0].isdigit() and (of_items or origin.input not in self.no_maps):
            keys = self.found.setdefault(origin.input, Keys({}, {}))
            kept = keys.of_items if of_items else keys.own
            kept[rest[0]] = guarded and kept.get(rest[0], True)

    def value(self, node: Node) -> None:
        """Reads every template in a value."""
        for text in _texts(node):
            if is_templated(text):
                self.template(parse(text))

    def template(self, template: Template) -> None:
        """Reads a template, and the loops in it."""
        for root, path, _, _, guarded, called in template.references:
            self.read(root, path[:-1] if called else path, guarded=guarded)
        if "{%" in template.text:
            self.loops(template, body_of(template))

    def loops(self, template: Template, body: Iterable[object]) -> None:
        """Follows the `{% for %}` of a template."""
        for each in body:
            if not isinstance(each, For) or len(each.names) != 1:
                continue
            chain = _chain(each.items)
            at = self.at(chain[0], chain[1:]) if chain else None
            if at is not None and not at[1] and not at[0].is_item:
                inside = dict(self.known)
                self.known[each.names[0]] = _Origin(at[0].input, True)
                self.template(examine(template._replace(body=each.body)))
                self.known = inside


def _chain(node: object) -> tuple[str, ...]:
    """The plain names of `a.b.c`; none of another expression."""
    names: list[str] = []
    while isinstance(node, Member):
        name = getattr(node.key, "value", None)
        if not isinstance(name, str):
            return ()
        names.append(name)
        node = node.target
    return (node.name, *reversed(names)) if isinstance(node, Name) else ()


def _texts(node: Node) -> Iterator[str]:
    if node.kind == "scalar":
        if isinstance(node.value, str):
            yield node.value
        return
    for child in node.value.values() if isinstance(node.value, Mapping) else node.value:
        yield from _texts(child)
