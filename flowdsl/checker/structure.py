"""The document: its root, what it declares, and its steps in order."""

from __future__ import annotations

from typing import Any

from flowdsl.checker.declarations import check_inputs, check_outputs, check_services
from flowdsl.checker.findings import Findings, Scope
from flowdsl.checker.references import RESERVED_NAMES
from flowdsl.checker.steps import check_step, make_steps
from flowdsl.diagnostics import Related
from flowdsl.document import Document, StepNode
from flowdsl.nearest import nearest
from flowdsl.reader import Node
from flowdsl.rules import show
from flowdsl.source import Source

ROOT_KEYS = ("id", "title", "description", "flow", "inputs", "outputs", "services", "undefined")
LATER_KEYS = ("onError", "imports", "blocks")
OTHER_ROOTS = {"blocks": "a module", "BLOCKS": "a module", "AI_KIT": "an AI kit", "tests": "a file of flow tests"}


def check_document(source: Source, root: Node, findings: Findings) -> Document | None:
    """The document that a root node makes, with every mistake in it reported."""
    document = Document(source, root)
    steps = _steps_node(root, document, findings)
    if steps is None:
        return None
    document.steps = make_steps(steps, "flow", findings)
    if steps.kind == "list" and not steps.value:
        findings.add("empty-flow", "the flow has no steps", steps, hint="a step looks like `- step: SET`")
    if root.kind == "map":
        _misnested_keys(root, document, findings)
    _unique_ids(document.steps, findings)
    settings = findings.settings
    names = RESERVED_NAMES | settings.objects
    scope = Scope(names, document.inputs, document.lenient)
    scope.declare(settings.context)
    scope.declare(document.inputs or ())
    scope.declare(findings.maybe_written)
    _note_later(document.steps, scope)
    for step in document.steps:
        check_step(step, document, findings, scope)
    check_outputs(document, findings, scope)
    return document


def _steps_node(root: Node, document: Document, findings: Findings) -> Node | None:
    """The node that holds the steps; reads the declarations of a mapping root."""
    if root.kind == "list":
        return root
    if root.kind != "map":
        findings.add(
            "not-a-flow",
            f"a flow is a list of steps, or a map with `flow:`, not {show(root.value)}",
            root,
            hint="a step looks like `- step: SET`",
        )
        return None
    flow = root.value.get("flow")
    if flow is None:
        _not_a_flow(root, findings)
        return None
    values: dict[str, Any] = root.value
    for key in ("id", "title", "description"):
        node = values.get(key)
        if node is not None and not isinstance(node.value, str):
            findings.add("wrong-type", f"`{key}` takes a text, not {show(node.plain())}", node)
    document.title = values["title"].value if "title" in values and isinstance(values["title"].value, str) else None
    undefined = values.get("undefined")
    if undefined is not None:
        document.lenient = undefined.value == "lenient"
        if undefined.value not in ("strict", "lenient"):
            findings.add(
                "not-a-choice",
                f"`undefined` is {show(undefined.plain())}, which is not one of strict, lenient",
                undefined,
            )
    document.inputs = check_inputs(values.get("inputs"), findings)
    document.services = check_services(values.get("services"), findings)
    outputs = values.get("outputs")
    if outputs is not None:
        if outputs.kind == "map":
            document.outputs = outputs.value
        else:
            findings.add(
                "wrong-type", f"`outputs` takes a map from name to template, not {show(outputs.plain())}", outputs
            )
    return flow  # type: ignore[no-any-return]  # a map's values are nodes


def _not_a_flow(root: Node, findings: Findings) -> None:
    keys = list(root.value)
    kind = next((OTHER_ROOTS[key] for key in keys if key in OTHER_ROOTS), None)
    at = root.keys[keys[0]] if keys else root
    if kind:
        findings.add("not-a-flow", f"this is {kind}, and a flow is needed: a list of steps, or a map with `flow:`", at)
    elif any(key.startswith("-") for key in keys):
        hint = "write `- step: NAME`, with a space behind the dash"
        findings.add("not-a-flow", "a flow is a list of steps, and this map is none", at, hint=hint)
    elif "step" in keys:
        findings.add(
            "not-a-flow",
            "a flow is a list of steps, and this is one step without its dash",
            root.keys["step"],
            hint="write `- step: …`",
        )
    else:
        near = next(((key, near) for key in keys if (near := nearest(key, ("flow", "steps")))), None)
        hint = "did you mean `flow`?" if near or "steps" in keys else "put the steps under `flow:`"
        at = root.keys[near[0] if near else "steps"] if near or "steps" in keys else at
        findings.add(
            "not-a-flow", "a flow is a list of steps, or a map with `flow:`, and this map has no `flow`", at, hint=hint
        )


def _misnested_keys(root: Node, document: Document, findings: Findings) -> None:
    """Keys of the root that do not belong there: most often a key of the last step that lost its indentation."""
    last = document.steps[-1] if document.steps else None
    for name, key in root.keys.items():
        if name in ROOT_KEYS:
            continue
        if name in LATER_KEYS:
            findings.add(
                "unsupported-key", f"`{name}` is part of the language, but this version cannot run it yet", key
            )
        elif last is not None and name in last.spec.keys:
            findings.add(
                "misnested-key",
                f"`{name}` belongs inside the step above, and its indentation puts it outside",
                key,
                hint=f"indent it by {last.name_node.source.position(last.node.start).col - 1} spaces",
                related=(Related(last.name_node.span, "the step above"),),
            )
        else:
            findings.unknown_key(key, ROOT_KEYS, "a flow")


def _unique_ids(steps: list[StepNode], findings: Findings) -> None:
    seen: dict[str, Node] = {}
    for step in steps:
        if step.id is not None:
            node = step.node.value["id"]
            if step.id in seen:
                related = (Related(seen[step.id].span, "first used here"),)
                findings.add(
                    "duplicate-id",
                    f"two steps have the id `{step.id}`",
                    node,
                    hint="give each its own",
                    related=related,
                )
            seen.setdefault(step.id, node)


def _note_later(steps: list[StepNode], scope: Scope) -> None:
    """Lets the scope know what later steps set, for messages about names that are read too early."""
    for step in steps:
        for name, node in step.writes():
            scope.later.setdefault(name, node)
