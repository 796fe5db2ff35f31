"""A checked flow as data: what the checker makes of the nodes and the compiler turns into a program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from flowdsl.source import Source, Span
from flowdsl.step.flow_shapes import Assign, Loop, Try
from flowdsl.step.spec import StepSpec, is_templated
from flowdsl.syntax.yaml_reader import Node


class PortName(NamedTuple):
    """An entry of a step's `inputs` or `outputs`: the type, the FlowContext path or key it stands for, and the node
    of that name."""

    type: str
    name: str
    node: Node


class BlockNode(NamedTuple):
    """Steps that stand inside a step: the key that holds them and, where it holds several, the case or the index.

    `path` is their place (`flow[2].cases.red`), `node` the value they were made of.
    """

    key: str
    name: str | int | None
    path: str
    steps: tuple[StepNode, ...]
    node: Node


class StepNode:
    """One step of a document.

    `keys` maps the step's own keys to their value nodes, in document order and under their present names.
    `path` is the step's place (`flow[2]`), `blocks` are the steps inside it, in the order of the file.
    """

    __slots__ = (
        "_writes",
        "blocks",
        "id",
        "inputs",
        "keys",
        "label",
        "misspelt",
        "node",
        "outputs",
        "path",
        "service",
        "spec",
    )

    def __init__(self, spec: StepSpec, node: Node, path: str) -> None:
        self.spec = spec
        self.node = node
        self.path = path
        self.keys: dict[str, Node] = {}
        self.blocks: list[BlockNode] = []
        self.id: str | None = None
        self.label: Node | None = None
        self.inputs: tuple[PortName, ...] = ()
        self.outputs: tuple[PortName, ...] = ()
        self.service: Node | None = None
        self._writes: list[tuple[str, Node]] | None = None
        self.misspelt = False
        """Whether a key that does not exist is near one that does: then that one is not reported as missing."""

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
        fixed = isinstance(node.value, str) and (self.spec.keys[key].verbatim or not is_templated(node.value))
        return (node.value, node) if fixed else None

    def item(self) -> tuple[str, Node] | None:
        """The FlowContext key of a loop's item, with the node that names it."""
        flow = self.spec.flow
        return self.named(flow.item) if isinstance(flow, Loop) else None

    def index(self) -> tuple[str, Node] | None:
        """The FlowContext key of the number of a loop's iteration."""
        flow = self.spec.flow
        if not isinstance(flow, Loop) or flow.index is None:
            return None
        named = {key: self.named(key) for key in KEYS_IN_BRACES.findall(flow.index)}
        if None in named.values():
            return None
        node = next((found[1] for found in named.values() if found is not None), self.name_node)
        return KEYS_IN_BRACES.sub(lambda key: found[0] if (found := named[key[1]]) else "", flow.index), node

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
                written += self._assigned(flow)
            self._writes = [*written, *self.written_outputs()]
        return self._writes

    def written_outputs(self) -> list[tuple[str, Node]]:
        """The FlowContext keys of the step's outputs."""
        spec = self.spec
        if self.outputs:
            node = self.node.keys["outputs"]
            return [(port.name, node) for port in self.outputs]
        written = []
        for index, port in enumerate(spec.outputs):
            if port.optional:
                continue
            named = self.keys.get(spec.writes_to) if spec.writes_to and index == 0 else None
            if named is not None and isinstance(named.value, str):
                written.append((named.value, named))
            else:
                key = spec.keys[spec.writes_to].default if spec.writes_to and index == 0 else port.type
                written.append((key, self.name_node))
        return written

    def _assigned(self, flow: Assign) -> list[tuple[str, Node]]:
        """The keys that an Assign step sets: those that are not among its own, and the target of its source."""
        own = self.spec.keys
        sources = any(key in self.keys for key in flow.sources)
        written = []
        for key, node in self.keys.items():
            if key in flow.sources:
                named = self.named(flow.name)
                written.append((named[0] if named is not None else flow.target, self.node.keys.get(key, node)))
            elif flow.keys == "others" and (key not in own or (key == flow.name and not sources)):
                written.append((key, self.node.keys.get(key, node)))
        return written


KEYS_IN_BRACES = re.compile(r"\{(.*?)\}")


class BlockSet:
    """The blocks of one place: constants, vars (templates) and flows; `keys` maps (kind, name) to the key's node."""

    __slots__ = ("constants", "flows", "keys", "node", "vars")

    def __init__(self, node: Node | None = None) -> None:
        self.node = node
        self.constants: dict[str, Any] = {}
        self.vars: dict[str, Node] = {}
        self.flows: dict[str, list[StepNode]] = {}
        self.keys: dict[tuple[str, str], Node] = {}


class Module:
    """An imported file: its blocks and what it imports itself. `at` is where it is imported."""

    __slots__ = ("at", "blocks", "import_nodes", "imports", "path")

    def __init__(self, path: str, at: Span, blocks: BlockSet) -> None:
        self.path = path
        self.at = at
        self.blocks = blocks
        self.imports: dict[str, Module] = {}
        self.import_nodes: Node | None = None


class InputDeclaration(NamedTuple):
    """A declared input: its JSON Schema, and its default when it has one."""

    name: str
    schema: dict[str, Any]
    has_default: bool
    default: Any
    node: Node


class Document:
    """A flow document: its steps, and what it declares."""

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

    def __init__(self, source: Source, root: Node) -> None:
        self.source = source
        self.root = root
        self.steps: list[StepNode] = []
        self.inputs: dict[str, InputDeclaration] | None = None
        self.outputs: dict[str, Node] | None = None
        self.services: dict[str, Node] = {}
        self.lenient = False
        self.title: str | None = None
        self.id: str | None = None
        self.scopes: dict[str, BlockSet] = {}
        """Blocks by namespace: `global`, `section`, `local`."""
        self.imports: dict[str, Module] = {}
        self.templates: dict[str, list[StepNode]] = {}
        self.on_error: list[StepNode] | None = None

    def every_step(self) -> Iterator[StepNode]:
        """Every step that a run can come to: those of the flow, of `onError`, and of all flows it can call."""
        yield from _inside(self.steps)
        yield from _inside(self.on_error or ())
        for steps in self.templates.values():
            yield from _inside(steps)
        for blocks in self.scopes.values():
            for steps in blocks.flows.values():
                yield from _inside(steps)
        for module in self.imports.values():
            yield from _of_module(module)

    def flow_of(self, ref: str, module: Module | None = None) -> tuple[list[StepNode], Module | None] | None:
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

    def flow_refs(self, module: Module | None = None) -> list[str]:
        """Every dot path that names a flow."""
        imports = module.imports if module is not None else self.imports
        return [
            *(f"{scope}.flows.{name}" for scope, blocks in self.scopes.items() for name in blocks.flows),
            *(f"imports.{alias}.flows.{name}" for alias, m in imports.items() for name in m.blocks.flows),
        ]


def _of_module(module: Module) -> Iterator[StepNode]:
    for steps in module.blocks.flows.values():
        yield from _inside(steps)
    for imported in module.imports.values():
        yield from _of_module(imported)


def _inside(steps: Iterable[StepNode]) -> Iterator[StepNode]:
    """Steps and the steps inside them, in the order of the file."""
    for step in steps:
        yield step
        for block in step.blocks:
            yield from _inside(block.steps)
