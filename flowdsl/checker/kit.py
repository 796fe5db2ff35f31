"""AI_KIT documents: sections of actions, each a flow, with shared services, templates and blocks."""

from __future__ import annotations

from flowdsl.checker.blocks import check_blocks, check_imports
from flowdsl.checker.declarations import check_services
from flowdsl.checker.files import Files
from flowdsl.checker.findings import Findings
from flowdsl.checker.reuse import check_reusable
from flowdsl.checker.roots import Checked
from flowdsl.checker.steps import make_steps
from flowdsl.diagnostics import Related
from flowdsl.document.document import Document, StepNode
from flowdsl.document.root_keys import KIT, KIT_KEYS
from flowdsl.nearest import nearest
from flowdsl.source import Source
from flowdsl.step.rules import show
from flowdsl.syntax.yaml_reader import Node


def check_kit(source: Source, root: Node, findings: Findings, files: Files) -> Checked:
    """The actions of a kit as flows. Keys that only say how a kit is shown are accepted and ignored."""
    for name, key in root.keys.items():
        if name != KIT:
            message = f"a kit has the single key `{KIT}`, and `{name}` stands beside it"
            findings.add("unknown-key", message, key, hint=f"move it inside `{KIT}`")
    kit = root.value[KIT]
    checked = Checked("kit", [])
    if kit.kind != "map":
        findings.add("wrong-type", f"`{KIT}` takes a map, not {show(kit.plain())}", kit)
        return checked
    for name, key in kit.keys.items():
        if name not in KIT_KEYS and nearest(name, KIT_KEYS) and name.isupper():
            findings.unknown_key(key, KIT_KEYS, KIT)
    outer = Document(source, kit)
    outer.services = check_services(kit.value.get("SERVICES"), findings)
    outer.scopes["global"] = check_blocks(kit.value.get("BLOCKS"), "global", findings)
    outer.templates = _templates(kit.value.get("TEMPLATES"), findings)
    sections = kit.value.get("SECTIONS")
    if sections is None or sections.value is None:
        return checked
    if sections.kind != "list":
        findings.add("wrong-type", f"`SECTIONS` takes a list, not {show(sections.plain())}", sections)
        return checked
    for index, section in enumerate(sections.value):
        _section(section, f"SECTIONS[{index}]", outer, checked, findings, files)
    flows = [*outer.templates.values(), *outer.scopes["global"].flows.values()]
    check_reusable(flows, outer, findings)
    _unique_actions(checked, findings)
    return checked


def _templates(node: Node | None, findings: Findings) -> dict[str, list[StepNode]]:
    if node is None or node.value is None:
        return {}
    if node.kind != "map":
        findings.add("wrong-type", f"`TEMPLATES` takes a map from name to steps, not {show(node.plain())}", node)
        return {}
    templates = {}
    for name, value in node.value.items():
        steps = value.value.get("flow", value) if value.kind == "map" else value
        templates[name] = make_steps(steps, f"TEMPLATES.{name}", findings)
    return templates


def _section(node: Node, path: str, outer: Document, checked: Checked, findings: Findings, files: Files) -> None:
    from flowdsl.checker.structure import check_flow, constant_names

    if node.kind != "map":
        findings.add("wrong-type", f"a section is a map with `section` and `actions`, not {show(node.plain())}", node)
        return
    inner = Document(outer.source, node)
    inner.services, inner.templates, inner.scopes = outer.services, outer.templates, dict(outer.scopes)
    if "blocks" in node.value:
        inner.scopes["section"] = check_blocks(node.value["blocks"], "section", findings)
    inner.imports = check_imports(node.value.get("imports"), constant_names(inner.scopes), files, findings)
    if "section" in inner.scopes:
        check_reusable(inner.scopes["section"].flows.values(), inner, findings)
    actions = node.value.get("actions")
    if actions is None or actions.value is None:
        return
    if actions.kind != "list":
        findings.add("wrong-type", f"`actions` takes a list, not {show(actions.plain())}", actions)
        return
    for index, action in enumerate(actions.value):
        if action.kind != "map" or "flow" not in action.value:
            at = action if action.kind != "map" else next(iter(action.keys.values()), action)
            findings.add("wrong-type", "an action is a map with `title` and `flow`", at)
            continue
        document = check_flow(outer.source, action, findings, files, outer=inner, at=f"{path}.actions[{index}].flow")
        if document is not None:
            checked.documents.append(document)


def _unique_actions(checked: Checked, findings: Findings) -> None:
    """Reports two actions with the same id: a run could not tell them apart."""
    seen: dict[str, Document] = {}
    for document in checked.documents:
        if document.id is None:
            continue
        if document.id in seen:
            first = seen[document.id].root.value["id"]
            related = (Related(first.span, "first used here"),)
            message = f"two actions have the id `{document.id}`"
            findings.add("duplicate-id", message, document.root.value["id"], hint="give each its own", related=related)
        seen.setdefault(document.id, document)
