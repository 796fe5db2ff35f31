"""What a document declares and never uses: imports, blocks, and variables of flows with outputs."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.checker.findings import Findings
from flowdsl.document.document import Document, StepNode
from flowdsl.document.root_keys import NAMESPACES
from flowdsl.step.flow_shapes import Assign, Call
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.syntax.yaml_reader import Node
from flowdsl.template import parse, parse_expression

WHOLE = "*"
"""Stands for everything, where a name is computed."""


class Used:
    """The names that a document reads anywhere."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.blocks: set[tuple[str, ...]] = set()

    def text(self, text: str, expression: bool = False) -> None:
        """Adds what a text reads as a template, and what it may name as a path."""
        if expression or "{" in text:
            for reference in (parse_expression(text) if expression else parse(text)).references:
                self._reference(reference.root, reference.path)
        elif len(text) < 200:
            parts = text.split(".")
            self.keys.update(parts[:2] if parts[0] == "flowContext" else parts[:1])
            if len(parts) > 1:
                self.blocks.add(tuple(parts))

    def _reference(self, root: str, path: tuple[str, ...]) -> None:
        if root == "flowContext":
            self.keys.add(path[0] if path else WHOLE)
        elif root in NAMESPACES:
            self.blocks.add((root, *path))
        else:
            self.keys.add(root)

    def node(self, node: Node) -> None:
        """Adds what all texts in a node read."""
        if node.kind != "scalar":
            for child in node.value if node.kind == "list" else node.value.values():
                self.node(child)
        elif isinstance(node.value, str):
            self.text(node.value)

    def steps(self, steps: Iterable[StepNode]) -> None:
        """Adds what steps and those inside them read."""
        for step in steps:
            named = {port.type for port in step.inputs}
            self.keys.update(port.name.partition(".")[0] for port in step.inputs)
            self.keys.update(port.type for port in step.spec.inputs if port.type not in named)
            if step.label is not None:
                self.node(step.label)
            for name, node in step.keys.items():
                key = step.spec.keys.get(name)
                if key is not None and key.expression and isinstance(node.value, str):
                    self.text(node.value, expression=True)
                elif key is None or key.type not in BLOCK_TYPES:
                    self._option(step, name, node)
            for block in step.blocks:
                self.steps(block.steps)

    def _option(self, step: StepNode, name: str, node: Node) -> None:
        flow = step.spec.flow
        called = isinstance(flow, Call) and name in (flow.ref, flow.name)
        if called and isinstance(node.value, str) and "{" in node.value:
            self.blocks.add((WHOLE,))
            self.keys.add(WHOLE)
        self.node(node)

    def has(self, *path: str) -> bool:
        """Whether a block is read, by itself or as a part of what is read whole."""
        return any(used == (WHOLE,) or used[: len(path)] == path or path[: len(used)] == used for used in self.blocks)


def check_unused(document: Document, findings: Findings) -> None:
    """Reports imports, blocks and variables that nothing reads; not where misspelt names may mean them."""
    if any(found.code in ("undefined-variable", "undefined-block", "unknown-flow") for found in findings.diagnostics):
        return
    used = Used()
    used.steps(document.steps)
    used.steps(document.on_error or ())
    blocks = document.scopes.get("local")
    for space in document.scopes.values():
        for node in space.vars.values():
            used.node(node)
        for steps in space.flows.values():
            used.steps(steps)
    for steps in document.templates.values():
        used.steps(steps)
    for node in (*(document.outputs or {}).values(), *document.services.values()):
        used.node(node)
    own = document.root.value.get("imports")
    own_aliases = _aliases(own) if own is not None else {}
    for alias, node in own_aliases.items():
        if alias in document.imports and not used.has("imports", alias):
            message = f"the import `{alias}` is not used"
            findings.add("unused-import", message, node, hint="remove it", severity="note")
    if blocks is not None and "blocks" in document.root.value:
        for (kind, name), node in blocks.keys.items():
            if not used.has("local", kind, name):
                message = f"`local.{kind}.{name}` is not used"
                findings.add("unused-block", message, node, hint="remove it", severity="note")
    if document.outputs is not None and WHOLE not in used.keys:
        for key, node in _variables(document, {}).items():
            if key not in used.keys and not _calls_out(document):
                hint = "remove it, or add it to `outputs`"
                message = f"`{key}` is set, and nothing reads it"
                findings.add("unused-variable", message, node, hint=hint, severity="note")


def _aliases(node: Node) -> dict[str, Node]:
    items = node.value if node.kind == "list" else []
    found: dict[str, Node] = {}
    for item in items:
        alias = item.value.get("as") if item.kind == "map" else None
        if alias is not None and isinstance(alias.value, str):
            found.setdefault(alias.value, alias)
    return found


def _variables(document: Document, found: dict[str, Node]) -> dict[str, Node]:
    """The variables that the steps of the document assign, with the first place that does."""
    flows: list[Iterable[StepNode]] = [document.steps]
    while flows:
        for step in flows.pop():
            if isinstance(step.spec.flow, Assign):
                for key, node in step.writes():
                    found.setdefault(key, node)
            flows += [block.steps for block in step.blocks]
    return found


def _calls_out(document: Document) -> bool:
    """Whether a flow of another file is called, which may read any variable."""
    flows: list[Iterable[StepNode]] = [document.steps]
    while flows:
        for step in flows.pop():
            flow = step.spec.flow
            if isinstance(flow, Call):
                node = step.keys.get(flow.ref or "")
                if node is None or not isinstance(node.value, str) or not node.value.startswith("local."):
                    return True
            flows += [block.steps for block in step.blocks]
    return False
