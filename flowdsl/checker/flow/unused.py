"""What a document declares and never uses: imports, blocks, and variables of flows with outputs."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.checker.findings import Findings
from flowdsl.diagnostics import Fix
from flowdsl.document.document import Document, Module, StepNode
from flowdsl.document.symbols import WHOLE, symbols
from flowdsl.step.flow_shapes import Assign, Call
from flowdsl.syntax.node import Node
from flowdsl.template import parse


def check_unused(document: Document, findings: Findings) -> None:
    """Reports imports, blocks and variables that nothing reads; not where misspelt names may mean them."""
    if any(found.code in ("undefined-variable", "undefined-block", "unknown-flow") for found in findings.diagnostics):
        return
    own = document.root.value.get("imports")
    if own is None and document.outputs is None and "blocks" not in document.root.value:
        return
    table = symbols(document)
    variables, paths = table.used("variable"), _Paths(table.used("block"))
    blocks = document.scopes.get("local")
    own_aliases = _aliases(own) if own is not None else {}
    for alias, node in own_aliases.items():
        if alias in document.imports and not paths.read("imports", alias):
            message = f"the import `{alias}` is not used"
            fix = _import_removed(own, alias) if own is not None else None
            findings.add("unused-import", message, node, hint="remove it", fixes=[fix])
    if blocks is not None and "blocks" in document.root.value:
        for (kind, name), node in blocks.keys.items():
            if not paths.read("local", kind, name):
                message = f"`local.{kind}.{name}` is not used"
                fix = _block_removed(document.root.value["blocks"], kind, name)
                findings.add("unused-block", message, node, hint="remove it", fixes=[fix])
    if document.outputs is not None and WHOLE not in variables:
        read = variables | _read_by_modules(document.imports.values())
        unread = {key: node for key, node in _variables(document, {}).items() if key not in read}
        if unread and not _calls_out(document):
            for key, node in unread.items():
                hint = "remove it, or add it to `outputs`"
                message = f"`{key}` is set, and nothing reads it"
                findings.add("unused-variable", message, node, hint=hint)


def _read_by_modules(modules: Iterable[Module]) -> set[str]:
    """The FlowContext keys that the vars of modules, and of what those import, read."""
    found: set[str] = set()
    for module in modules:
        for node in module.blocks.vars.values():
            for reference in parse(node.value).references if isinstance(node.value, str) else ():
                path = reference.path if reference.root == "flowContext" else (reference.root,)
                found.update(path[:1])
        found |= _read_by_modules(module.imports.values())
    return found


class _Paths:
    """The paths of blocks that something reads."""

    def __init__(self, used: Iterable[str]) -> None:
        self._whole = {tuple(path.split(".")) for path in used}
        self._above = {path[:length] for path in self._whole for length in range(1, len(path))}

    def read(self, *path: str) -> bool:
        """Whether a block is read, by itself, in parts, or as a part of what is read whole."""
        if (WHOLE,) in self._whole or path in self._above:
            return True
        return any(path[:length] in self._whole for length in range(1, len(path) + 1))


def _import_removed(imports: Node, alias: str) -> Fix | None:
    """The list of imports without one of them."""
    from flowdsl.syntax.fixes import removed_item

    named = (index for index, item in enumerate(imports.value) if _aliases_of(item) == alias)
    index = next(named, None)
    return removed_item(imports, index) if index is not None else None


def _block_removed(blocks: Node, kind: str, name: str) -> Fix | None:
    """The blocks without one of them, and without its kind where it is the only one."""
    from flowdsl.syntax.fixes import removed

    parent: Node | None = blocks.value.get(kind) if blocks.kind == "map" else None
    if parent is None or parent.kind != "map":
        return None
    return removed(parent, name, title="remove it") or removed(blocks, kind, title="remove it")


def _aliases_of(item: Node) -> str | None:
    alias = item.value.get("as") if item.kind == "map" else None
    return alias.value if alias is not None and isinstance(alias.value, str) else None


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
