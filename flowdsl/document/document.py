"""A flow as data: what `build` makes of nodes, the checker checks, and the compiler turns into a program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from flowdsl.record import Record
from flowdsl.source import Source, Span
from flowdsl.step.flow_shapes import Assign, Call, Loop, Try
from flowdsl.step.key import IDENTIFIER, identifier
from flowdsl.step.spec import StepSpec, is_templated
from flowdsl.syntax.node import Node

Steps: TypeAlias = "tuple[StepNode, ...]"
"""The steps of one flow or block."""


class PortName(Record):
    """An entry of a step's `inputs` or `outputs`: the type, the FlowContext path or key it stands for, and the node
    of that name."""

    type: str
    name: str
    node: Node


class BlockNode(Record):
    """Steps that stand inside a step: the key that holds them and, where it holds several, the case or the index.

    `path` is their place (`flow[2].cases.red`), `node` the value they were made of.
    """

    key: str
    name: str | int | None
    path: str
    steps: tuple[StepNode, ...]
    node: Node


class _Frozen:
    """Made once, by `build`, and never changed after."""

    __slots__ = ()

    def __init__(self, **fields: Any) -> None:
        put = object.__setattr__
        for name, value in fields.items():
            put(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} is frozen: `{name}` cannot be set")


class StepNode:
    """One step of a document.

    `keys` maps the step's own keys to their value nodes, in document order and under their present names; `key_nodes`
    maps them, and the common keys, to the nodes of the keys as the author wrote them. `path` is the step's place
    (`flow[2]`), `blocks` are the steps inside it, in the order of the file. `misspelt` is whether a key that does not
    exist is near one that does: then that one is not reported as missing.
    """

    __slots__ = (
        "_writes",
        "blocks",
        "id",
        "inputs",
        "key_nodes",
        "keys",
        "label",
        "misspelt",
        "node",
        "outputs",
        "path",
        "service",
        "spec",
    )

    def __init__(
        self,
        spec: StepSpec,
        node: Node,
        path: str,
        *,
        keys: Mapping[str, Node],
        key_nodes: Mapping[str, Node],
        blocks: tuple[BlockNode, ...],
        id: str | None,
        label: Node | None,
        inputs: tuple[PortName, ...],
        outputs: tuple[PortName, ...],
        service: Node | None,
        misspelt: bool,
    ) -> None:
        self.spec = spec
        self.node = node
        self.path = path
        self.keys = keys
        self.key_nodes = key_nodes
        self.blocks = blocks
        self.id = id
        self.label = label
        self.inputs = inputs
        self.outputs = outputs
        self.service = service
        self.misspelt = misspelt
        self._writes: list[tuple[str, Node]] | None = None
        self.__class__ = _FrozenStep

    @property
    def name_node(self) -> Node:
        """The value of `step`."""
        return self.node.value["step"]  # type: ignore[no-any-return]  # a map's values are nodes

    def block(self, key: str | None) -> tuple[StepNode, ...]:
        """The steps of an option that holds one block; none when it is absent."""
        for block in self.blocks:
            if block.key == key:
                return block.steps
        return ()

    def given(self, keys: Iterable[str | None]) -> str | None:
        """The first of some keys that has a value."""
        for key in keys:
            node = self.keys.get(key) if key is not None else None
            if node is not None and not (node.kind == "scalar" and node.value is None):
                return key
        return None

    def named(self, key: str | None) -> tuple[str, Node] | None:
        """The FlowContext key that the text of an option names, with the node to show for it.

        None when the option is absent and has no default, or when a template makes its text.
        """
        if key is None:
            return None
        node = self.keys.get(key)
        if node is None:
            default = self.spec.defaults.get(key)
            return (default, self.name_node) if isinstance(default, str) else None
        known = self.spec.keys[key]
        if not isinstance(node.value, str) or (not known.verbatim and is_templated(node.value)):
            return None
        if known.verbatim and known.pattern == IDENTIFIER and not node.value.isidentifier():
            return identifier(node.value) or node.value, node  # which is reported, with this in its place
        return node.value, node

    def item(self) -> tuple[str, Node] | None:
        """The FlowContext key of a loop's item, with the node that names it."""
        flow = self.spec.flow
        return self.named(flow.item) if isinstance(flow, Loop) else None

    def index(self) -> tuple[str, Node] | None:
        """The FlowContext key of the number of a loop's iteration."""
        flow = self.spec.flow
        if not isinstance(flow, Loop) or flow.index is None:
            return None
        braces = re.compile(KEYS_IN_BRACES)
        named = {key: self.named(key) for key in braces.findall(flow.index)}
        if None in named.values():
            return None
        node = next((found[1] for found in named.values() if found is not None), self.name_node)
        return braces.sub(lambda key: found[0] if (found := named[key[1]]) else "", flow.index), node

    def sets_inside(self) -> list[tuple[str, Node]]:
        """The FlowContext keys the step sets for the blocks inside it: a loop's item and its index, a caught error."""
        flow = self.spec.flow
        if isinstance(flow, Try):
            return [(flow.error, self.name_node)]
        return [found for found in (self.item(), self.index()) if found is not None]

    def writes(self) -> list[tuple[str, Node]]:
        """The FlowContext keys the step writes, each with the node to show for it; asked only of a complete step."""
        if self._writes is None:
            flow = self.spec.flow
            written = self.sets_inside() if isinstance(flow, (Loop, Try)) else []
            if isinstance(flow, Loop) and flow.collect and (collected := self.named(flow.collect[1])) is not None:
                written.append(collected)
            elif isinstance(flow, Assign):
                written += [(name, self.key_nodes.get(key, self.keys[key])) for key, name in self.assigned(flow)]
            object.__setattr__(self, "_writes", [*written, *self.written_outputs()])
        assert self._writes is not None  # noqa: S101  made above
        return self._writes

    def written_outputs(self) -> list[tuple[str, Node]]:
        """The FlowContext keys of the step's outputs."""
        spec = self.spec
        if self.outputs:
            node = self.key_nodes["outputs"]
            return [(port.name, node) for port in self.outputs]
        written = []
        for port in spec.always_written:
            name = spec.writes_to if port is spec.outputs[0] else None
            named = self.keys.get(name) if name is not None else None
            if named is not None and isinstance(named.value, str):
                written.append((named.value, named))
            else:
                written.append((spec.keys[name].default if name is not None else port.type, self.name_node))
        return written

    def assigned(self, flow: Assign) -> Iterator[tuple[str, str]]:
        """Which options of an Assign step give values, each with the FlowContext key that it sets: those that are not
        among its own, and its source."""
        own = self.spec.keys
        sources = any(key in self.keys for key in flow.sources)
        for key in self.keys:
            if key in flow.sources:
                named = self.named(flow.name)
                yield key, named[0] if named is not None else flow.target
            elif flow.keys == "others" and (key not in own or (key == flow.name and not sources)):
                yield key, key


KEYS_IN_BRACES = r"\{(.*?)\}"


class _FrozenStep(StepNode, _Frozen):
    """What a step becomes once it is made: to set each of its fields past `__setattr__` would cost 2 % of a check."""

    __slots__ = ()


class BlockSet(_Frozen):
    """The blocks of one place: constants, vars (templates) and flows; `keys` maps (kind, name) to the key's node, and
    `values` a constant to the node of its value."""

    __slots__ = ("constants", "flows", "keys", "values", "vars")
    constants: Mapping[str, Any]
    values: Mapping[str, Node]
    vars: Mapping[str, Node]
    flows: Mapping[str, Steps]
    keys: Mapping[tuple[str, str], Node]


class Module(_Frozen):
    """An imported file: its blocks and what it imports itself. `at` is the alias it is imported under."""

    __slots__ = ("at", "blocks", "import_nodes", "imports", "path")
    path: str
    at: Span
    blocks: BlockSet
    imports: Mapping[str, Module]
    import_nodes: Node | None

    def under(self, at: Span) -> Module:
        """The module, imported under another alias."""
        if at == self.at:
            return self
        fields = {name: getattr(self, name) for name in self.__slots__}
        return Module(**{**fields, "at": at})


class InputDeclaration(Record):
    """A declared input: its JSON Schema, and its default when it has one."""

    name: str
    schema: dict[str, Any]
    has_default: bool
    default: Any
    node: Node


class Surroundings(Record):
    """What an action of a kit takes over from the kit and its section."""

    services: Mapping[str, Node]
    templates: Mapping[str, Steps]
    scopes: Mapping[str, BlockSet]
    imports: Mapping[str, Module]


class Document(_Frozen):
    """A flow document: its steps, and what it declares. `scopes` holds blocks by namespace: `global`, `section`,
    `local`."""

    __slots__ = (
        "id",
        "imports",
        "inputs",
        "lenient",
        "on_error",
        "outputs",
        "root",
        "scopes",
        "services",
        "source",
        "steps",
        "templates",
        "title",
    )
    source: Source
    root: Node
    steps: Steps
    inputs: Mapping[str, InputDeclaration] | None
    outputs: Mapping[str, Node] | None
    services: Mapping[str, Node]
    lenient: bool
    title: str | None
    id: str | None
    scopes: Mapping[str, BlockSet]
    imports: Mapping[str, Module]
    templates: Mapping[str, Steps]
    on_error: Steps | None

    def __init__(self, source: Source, root: Node, around: Surroundings | None = None, **fields: Any) -> None:
        outer = around._asdict() if around is not None else _ALONE
        super().__init__(source=source, root=root, **{**_NOTHING, **outer, **fields})

    def every_step(self) -> Iterator[StepNode]:
        """Every step that a run can come to: those of the flow, of `onError`, and of all flows it can call."""
        yield from _inside(self.steps)
        yield from _inside(self.on_error or ())
        for steps in self.templates.values():
            yield from _inside(steps)
        for blocks in self.scopes.values():
            for steps in blocks.flows.values():
                yield from _inside(steps)
        seen: set[str] = set()
        for module in self.imports.values():
            yield from _of_module(module, seen)

    def flow_of(self, ref: str, module: Module | None = None) -> tuple[Steps, Module | None] | None:
        """The steps a dot path names (`local.flows.x`, `imports.a.flows.x`), with the module they stand in.

        Inside a module, `imports` are the module's own.
        """
        parts = ref.split(".")
        if len(parts) == 3 and parts[1] == "flows" and parts[0] in self.scopes:
            steps = self.scopes[parts[0]].flows.get(parts[2])
            return None if steps is None else (steps, None)
        if len(parts) == 4 and parts[0] == "imports" and parts[2] == "flows":
            found = (module.imports if module is not None else self.imports).get(parts[1])
            steps = found.blocks.flows.get(parts[3]) if found is not None else None
            return None if steps is None else (steps, found)
        return None

    def called(self, step: StepNode, module: Module | None = None) -> tuple[Steps, Module | None] | None:
        """The steps that a call in a module names, with the module they stand in; None when a template decides."""
        flow = step.spec.flow
        if not isinstance(flow, Call) or (named := step.named(step.given((flow.ref, flow.name)))) is None:
            return None
        if step.given((flow.ref,)):
            return self.flow_of(named[0], module)
        steps = self.templates.get(named[0])
        return None if steps is None else (steps, module)

    def flow_refs(self, module: Module | None = None) -> list[str]:
        """Every dot path that names a flow."""
        imports = module.imports if module is not None else self.imports
        return [
            *(f"{scope}.flows.{name}" for scope, blocks in self.scopes.items() for name in blocks.flows),
            *(f"imports.{alias}.flows.{name}" for alias, m in imports.items() for name in m.blocks.flows),
        ]


_NOTHING: Mapping[str, Any] = {
    "steps": (),
    "inputs": None,
    "outputs": None,
    "lenient": False,
    "title": None,
    "id": None,
    "on_error": None,
}


_ALONE: Mapping[str, Any] = {"services": {}, "templates": {}, "scopes": {}, "imports": {}}


def _of_module(module: Module, seen: set[str]) -> Iterator[StepNode]:
    if module.path in seen:  # a file that several import
        return
    seen.add(module.path)
    for steps in module.blocks.flows.values():
        yield from _inside(steps)
    for imported in module.imports.values():
        yield from _of_module(imported, seen)


def inside(step: StepNode) -> Iterator[StepNode]:
    """A step and the steps inside it, in the order of the file."""
    yield step
    for block in step.blocks:
        for inner in block.steps:
            yield from inside(inner)


def _inside(steps: Iterable[StepNode]) -> Iterator[StepNode]:
    for step in steps:
        yield from inside(step)
