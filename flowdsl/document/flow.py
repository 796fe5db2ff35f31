"""One flow: its root, what it declares, and its steps in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowdsl.diagnostics import Edit, Fix
from flowdsl.document.builder import Builder
from flowdsl.document.document import Document, StepNode, Surroundings
from flowdsl.document.document_kinds import misnested_keys, not_a_flow
from flowdsl.document.findings import Findings
from flowdsl.document.root_keys import ROOT_KEYS
from flowdsl.document.steps import build_steps
from flowdsl.nearest import nearest
from flowdsl.source import Source
from flowdsl.step.problem import show
from flowdsl.syntax.node import Node


def build_flow(
    source: Source, root: Node, builder: Builder, *, around: Surroundings | None = None, at: str = "flow"
) -> Document | None:
    """The document of one flow, a list of steps or a map with `flow:`; None when it is neither.

    `around` is what an action of a kit takes over, `at` where its steps stand.
    """
    findings = builder.findings
    steps = _steps_node(root, builder)
    if steps is None:
        return None
    if root.kind == "map" and "flow" not in root.value:  # which was reported: its keys are steps
        root = steps
    outer = around or Surroundings({}, {}, {}, {})
    declared: dict[str, Any] = {}
    if root.kind == "map":
        values = _meant(root)
        declared = {**_texts(values, findings), **_declarations(values, outer, builder)}
    made = build_steps(steps, at, builder)
    if steps.kind == "list" and not steps.value:
        findings.add("empty-flow", "the flow has no steps", steps, hint=builder.example_step)
    if root.kind == "map":
        misnested_keys(root, made[-1] if made else None, findings, presented=around is not None)
    _unique_ids(made, findings)
    document = Document(source, root, outer, steps=made, **declared)
    builder.parts.append(document)
    return document


def _steps_node(root: Node, builder: Builder) -> Node | None:
    """The node that holds the steps."""
    findings = builder.findings
    if root.kind == "list":
        return root
    if root.kind != "map":
        found = show(root.value)
        message = f"a flow is a list of steps, or a map with `flow:`, not {found}"
        findings.add("not-a-flow", message, root, hint=builder.example_step)
        return None
    flow: Node | None = root.value.get("flow")
    if flow is None and findings.misindented and "flow" in findings.maybe_written:
        return None  # it stands in what could not be read
    return not_a_flow(root, builder) if flow is None else flow


def _meant(root: Node) -> dict[str, Node]:
    """The values of a root, those of misspelt keys, which are reported, under the keys that are meant."""
    values: dict[str, Node] = root.value
    if all(name in ROOT_KEYS for name in values):
        return values
    meant = {name: name if name in ROOT_KEYS else nearest(name, ROOT_KEYS) for name in values}
    found = {near: values[name] for name, near in meant.items() if near is not None and name != near}
    return {**values, **{near: value for near, value in found.items() if near not in values}}


def _texts(values: dict[str, Node], findings: Findings) -> dict[str, Any]:
    """`id`, `title`, `description` and `undefined`."""
    for key in ("id", "title", "description"):
        node = values.get(key)
        if node is not None and not isinstance(node.value, str):
            findings.add("wrong-type", f"`{key}` takes a text, not {show(node.plain())}", node)
    undefined = values.get("undefined")
    if undefined is not None and undefined.value not in ("strict", "lenient"):
        message = f"`undefined` is {show(undefined.plain())}, which is not one of strict, lenient"
        findings.add("not-a-choice", message, undefined)
    lenient = undefined is not None and undefined.value == "lenient"
    return {"title": _text(values.get("title")), "id": _text(values.get("id")), "lenient": lenient}


def _text(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None


def _declarations(values: dict[str, Node], outer: Surroundings, builder: Builder) -> dict[str, Any]:
    """What a mapping root declares beside its steps."""
    findings = builder.findings
    inputs, services = None, outer.services
    if "inputs" in values or "services" in values:
        from flowdsl.document.declarations import build_inputs, build_services

        inputs = build_inputs(values.get("inputs"), findings)
        services = {**services, **build_services(values.get("services"), builder)}
    scopes, imports = outer.scopes, outer.imports
    if "blocks" in values:
        from flowdsl.document.blocks import build_blocks

        scopes = {**scopes, "local": build_blocks(values["blocks"], "local", builder)}
    if "imports" in values:
        from flowdsl.document.blocks import constant_names
        from flowdsl.document.imports import build_imports

        imports = {**imports, **build_imports(values["imports"], constant_names(scopes), builder)}
    on_error = build_steps(values["onError"], "onError", builder) if "onError" in values else None
    outputs = values.get("outputs")
    if outputs is not None and outputs.kind != "map":
        message = f"`outputs` takes a map from name to template, not {show(outputs.plain())}"
        named = [item.value for item in outputs.value if item.kind == "scalar"] if outputs.kind == "list" else []
        root = {name: "inputs" if inputs and name in inputs else "flowContext" for name in named}
        written = ", ".join(f'{name}: "{{{{ {of}.{name} }}}}"' for name, of in root.items())
        hint = f"write `outputs: {{{written}}}`" if named else 'write each as `name: "{{ flowContext.name }}"`'
        in_line = (
            bool(named) and set(root.values()) == {"inputs"} and outputs.source.text.startswith("[", outputs.start)
        )
        fix = Fix(hint, (Edit(outputs.span, f"{{{written}}}"),)) if in_line else None
        findings.add("wrong-type", message, outputs, hint=hint, fixes=[fix])
        outputs = None
    return {
        "inputs": inputs,
        "services": services,
        "scopes": scopes,
        "imports": imports,
        "on_error": on_error,
        "outputs": outputs.value if outputs is not None else None,
    }


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
