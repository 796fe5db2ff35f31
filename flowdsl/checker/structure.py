"""The document: its root, what it declares, and its steps in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowdsl.checker.blocks import check_blocks, check_imports, module_of
from flowdsl.checker.declarations import check_inputs, check_services
from flowdsl.checker.files import Files
from flowdsl.checker.findings import Findings
from flowdsl.checker.flow.analysis import check_paths
from flowdsl.checker.references import resolved_value
from flowdsl.checker.reuse import check_module_flows
from flowdsl.checker.roots import Checked, misnested_keys, not_a_flow
from flowdsl.checker.steps import check_form, make_steps
from flowdsl.document.document import BlockSet, Document, StepNode
from flowdsl.document.root_keys import KIT
from flowdsl.source import Source
from flowdsl.step.rules import show
from flowdsl.syntax.yaml_reader import Node


def check_root(source: Source, root: Node, findings: Findings, files: Files) -> Checked | None:
    """What the root node of a file makes: a flow, a kit of flows, or a module; every mistake in it is reported."""
    keys = root.value if root.kind == "map" else {}
    if KIT in keys:
        from flowdsl.checker.kit import check_kit

        return check_kit(source, root, findings, files)
    if ("blocks" in keys or "BLOCKS" in keys) and "flow" not in keys:
        module = module_of(root, source.path, root.span, files, findings)
        if module is not None:
            check_module_flows(module, Document(source, root), findings)
        return Checked("module", [])
    document = check_flow(source, root, findings, files)
    return Checked("flow", [document]) if document is not None else None


def check_flow(
    source: Source,
    root: Node,
    findings: Findings,
    files: Files,
    *,
    outer: Document | None = None,
    at: str = "flow",
) -> Document | None:
    """The document of one flow: a list of steps, or a map with `flow:`.

    `outer` holds what an action of a kit takes over: services, templates, global and section blocks, imports.
    """
    document = Document(source, root)
    if outer is not None:
        document.services, document.templates = outer.services, outer.templates
        document.scopes, document.imports = dict(outer.scopes), dict(outer.imports)
    steps = _steps_node(root, document, findings, files)
    if steps is None:
        return None
    document.steps = make_steps(steps, at, findings)
    if steps.kind == "list" and not steps.value:
        findings.add("empty-flow", "the flow has no steps", steps, hint=findings.example_step)
    if root.kind == "map":
        misnested_keys(root, document, findings, presented=outer is not None)
    _unique_ids(document.steps, findings)
    for flow in (document.steps, *_reusable(document)):
        check_form(flow, document, findings)
    for node in (document.outputs or {}).values():
        resolved_value(node, findings)
    check_paths(document, findings)
    return document


def _reusable(document: Document) -> list[list[StepNode]]:
    """The flows of a document that run when something else asks for them."""
    blocks = document.scopes.get("local")
    return [*(blocks.flows.values() if blocks is not None else ()), document.on_error or []]


def _steps_node(root: Node, document: Document, findings: Findings, files: Files) -> Node | None:
    """The node that holds the steps; reads the declarations of a mapping root."""
    if root.kind == "list":
        return root
    if root.kind != "map":
        found = show(root.value)
        message = f"a flow is a list of steps, or a map with `flow:`, not {found}"
        findings.add("not-a-flow", message, root, hint=findings.example_step)
        return None
    flow = root.value.get("flow")
    if flow is None:
        not_a_flow(root, findings)
        return None
    _texts(root.value, document, findings)
    _declarations(root.value, document, findings, files)
    return flow  # type: ignore[no-any-return]  # a map's values are nodes


def _texts(values: dict[str, Node], document: Document, findings: Findings) -> None:
    """`id`, `title`, `description` and `undefined`."""
    for key in ("id", "title", "description"):
        node = values.get(key)
        if node is not None and not isinstance(node.value, str):
            findings.add("wrong-type", f"`{key}` takes a text, not {show(node.plain())}", node)
    document.title = _text(values.get("title"))
    document.id = _text(values.get("id"))
    undefined = values.get("undefined")
    if undefined is not None:
        document.lenient = undefined.value == "lenient"
        if undefined.value not in ("strict", "lenient"):
            message = f"`undefined` is {show(undefined.plain())}, which is not one of strict, lenient"
            findings.add("not-a-choice", message, undefined)


def _text(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None


def _declarations(values: dict[str, Node], document: Document, findings: Findings, files: Files) -> None:
    """What a mapping root declares beside its steps."""
    document.inputs = check_inputs(values.get("inputs"), findings)
    findings.placeholders.update(document.inputs or ())
    document.services = {**document.services, **check_services(values.get("services"), findings)}
    if "blocks" in values:
        document.scopes["local"] = check_blocks(values["blocks"], "local", findings)
    if "imports" in values:
        imports = check_imports(values["imports"], constant_names(document.scopes), files, findings)
        document.imports = {**document.imports, **imports}
    if "onError" in values:
        document.on_error = make_steps(values["onError"], "onError", findings)
    outputs = values.get("outputs")
    if outputs is not None and outputs.kind == "map":
        document.outputs = outputs.value
    elif outputs is not None:
        message = f"`outputs` takes a map from name to template, not {show(outputs.plain())}"
        findings.add("wrong-type", message, outputs)


def constant_names(scopes: dict[str, BlockSet]) -> dict[str, Any]:
    """The names that the `from` of an import can read: the constants of each namespace."""
    return {scope: {"constants": blocks.constants} for scope, blocks in scopes.items()}


def _unique_ids(steps: Iterable[StepNode], findings: Findings, seen: dict[str, Node] | None = None) -> None:
    from flowdsl.diagnostics import Related

    seen = {} if seen is None else seen
    for step in steps:
        if step.id is not None:
            node = step.node.value["id"]
            if step.id in seen:
                related = (Related(seen[step.id].span, "first used here"),)
                message = f"two steps have the id `{step.id}`"
                findings.add("duplicate-id", message, node, hint="give each its own", related=related)
            seen.setdefault(step.id, node)
        for block in step.blocks:
            _unique_ids(block.steps, findings, seen)
