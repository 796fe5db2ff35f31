"""Kits: sections of actions, each a flow, with shared services, templates and blocks. The AI_KIT dialect gives them."""

from __future__ import annotations

from flowdsl.diagnostics import Related
from flowdsl.document.blocks import build_blocks, constant_names
from flowdsl.document.builder import Builder
from flowdsl.document.declarations import build_services
from flowdsl.document.document import Document, Steps, Surroundings
from flowdsl.document.findings import Findings
from flowdsl.document.flow import build_flow
from flowdsl.document.flow_file import OpenFlows
from flowdsl.document.imports import build_imports
from flowdsl.document.steps import build_steps
from flowdsl.source import Source
from flowdsl.step.key import plain_name
from flowdsl.step.problem import show
from flowdsl.syntax import fixes
from flowdsl.syntax.node import Node


def build_kit(source: Source, kit: Node, builder: Builder) -> list[Document]:
    """The actions of a kit as flows. Keys that only say how a kit is shown are accepted and ignored."""
    services = build_services(kit.value.get("services"), builder)
    blocks = build_blocks(kit.value.get("blocks"), "global", builder)
    outer = Surroundings(services, _templates(kit, builder), {"global": blocks}, {})
    documents: list[Document] = []
    sections = kit.value.get("sections")
    if sections is None or sections.value is None:
        return documents
    name = kit.keys["sections"].value
    if sections.kind != "list":
        message = f"`{name}` takes a list, not {show(sections.plain())}"
        builder.findings.add("wrong-type", message, sections)
        return documents
    for index, section in enumerate(sections.value):
        documents += _section(source, section, f"{name}[{index}]", outer, builder)
    flows = (*outer.templates.values(), *blocks.flows.values())
    builder.parts.append(OpenFlows(Document(source, kit, outer), tuple(filter(None, flows))))
    _unique_actions(documents, builder.findings)
    return documents


def _templates(kit: Node, builder: Builder) -> dict[str, Steps]:
    node = kit.value.get("templates")
    if node is None or node.value is None:
        return {}
    name = kit.keys["templates"].value
    if node.kind != "map":
        message = f"`{name}` takes a map from name to steps, not {show(node.plain())}"
        builder.findings.add("wrong-type", message, node)
        return {}
    templates = {}
    for template, value in node.value.items():
        steps = value.value.get("flow", value) if value.kind == "map" else value
        templates[template] = build_steps(steps, f"{name}.{template}", builder)
    return templates


def _section(source: Source, node: Node, path: str, outer: Surroundings, builder: Builder) -> list[Document]:
    findings = builder.findings
    if node.kind != "map":
        findings.add("wrong-type", f"a section is a map with `section` and `actions`, not {show(node.plain())}", node)
        return []
    scopes = dict(outer.scopes)
    if "blocks" in node.value:
        scopes["section"] = build_blocks(node.value["blocks"], "section", builder)
    imports = build_imports(node.value.get("imports"), constant_names(scopes), builder)
    inner = outer._replace(scopes=scopes, imports=imports)
    if "section" in scopes:
        flows = tuple(filter(None, scopes["section"].flows.values()))
        builder.parts.append(OpenFlows(Document(source, node, inner), flows))
    actions = node.value.get("actions")
    if actions is None or actions.value is None:
        return []
    if actions.kind != "list":
        findings.add("wrong-type", f"`actions` takes a list, not {show(actions.plain())}", actions)
        return []
    made = (
        _action(source, action, f"{path}.actions[{index}].flow", inner, builder)
        for index, action in enumerate(actions.value)
    )
    return [document for document in made if document is not None]


def _action(source: Source, node: Node, at: str, inner: Surroundings, builder: Builder) -> Document | None:
    if node.kind != "map" or "flow" not in node.value:
        place = node if node.kind != "map" else next(iter(node.keys.values()), node)
        builder.findings.add("wrong-type", "an action is a map with `title` and `flow`", place)
        return None
    return build_flow(source, node, builder, around=inner, at=at)


def _unique_actions(documents: list[Document], findings: Findings) -> None:
    """Reports two actions with the same id: a run could not tell them apart."""
    seen: dict[str, Document] = {}
    for document in documents:
        if document.id is None:
            continue
        if document.id in seen:
            first = _where(seen[document.id], "id")
            related = (Related(first.span, "first used here"),)
            message = f"two actions have the id `{document.id}`"
            findings.add("duplicate-id", message, _where(document, "id"), hint="give each its own", related=related)
        seen.setdefault(document.id, document)
    _chosen_by_title(documents, findings)


def _where(document: Document, key: str) -> Node:
    """The node of an action's `id` or `title`: a misspelt key was taken for the one it means."""
    values: dict[str, Node] = document.root.value
    return values[key] if key in values else next(n for n in values.values() if n.value == getattr(document, key))


def _chosen_by_title(documents: list[Document], findings: Findings) -> None:
    """Reports actions that cannot be chosen: they have no id, and no title or that of one before them."""
    first: dict[str, Document] = {}
    taken = {name for document in documents for name in (document.id, document.title)}
    numbers: dict[str, int] = {}
    for document in documents:
        title = document.title
        if not title and not document.id and len(documents) > 1 and "title" not in document.root.value:
            message, key = (
                "this action cannot be chosen, as it has no title and no id",
                next(iter(document.root.keys.values())),
            )
            findings.add("missing-key", message, key, hint="add `title:`", severity="warning")
        if title and document.id is None and title in first:
            node = _where(first[title], "title" if first[title].title == title else "id")
            stem = plain_name(title) or "action"
            number = numbers.get(stem, 2)
            while f"{stem}-{number}" in taken:
                number += 1
            numbers[stem], entry = number + 1, f"id: {stem}-{number}"
            findings.add(
                "duplicate-id",
                f"two actions are called `{title}`, and only the first one can be chosen",
                _where(document, "title"),
                hint=f"give it another title, or an id by which it is chosen: `{entry}`",
                severity="warning",
                related=(Related(node.span, "this one is chosen"),),
                fixes=[fixes.added(document.root, entry)],
            )
        for name in filter(None, (document.id, title)):
            first.setdefault(name, document)
