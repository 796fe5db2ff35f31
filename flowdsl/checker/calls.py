"""Called flows: whether they exist, and what they set."""

from __future__ import annotations

from flowdsl.checker.findings import Findings, Scope
from flowdsl.document import Document, StepNode
from flowdsl.nearest import nearest
from flowdsl.reader import Node
from flowdsl.spec import is_templated


def check_call(step: StepNode, document: Document, findings: Findings, scope: Scope) -> None:
    """Reports a called flow that does not exist; lets the scope know what the flow sets.

    A name that a template makes can be any flow: then any key may be set.
    """
    node = _named(step)
    if node is None or is_templated(node.value):
        scope.open = True
        return
    if scope.open and not _is_own("ref" in step.keys, node.value, document):
        return
    found = flow_of(step, document)
    if found is None:
        by_ref = "ref" in step.keys
        known = document.flow_refs() if by_ref else list(document.templates)
        near = nearest(node.value, known)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(known) or 'none'}"
        message = f"No flow found for ref '{node.value}'" if by_ref else f"No template found with name '{node.value}'"
        findings.add("unknown-flow", message, node, hint=hint)
        return
    _declare(found, document, scope, set())


def flow_of(step: StepNode, document: Document) -> list[StepNode] | None:
    """The steps that a call with a literal name runs, or None."""
    node = _named(step)
    if node is None or is_templated(node.value):
        return None
    if "ref" in step.keys:
        found = document.flow_of(node.value)
        return found[0] if found is not None else None
    return document.templates.get(node.value)


def _is_own(by_ref: bool, name: str, document: Document) -> bool:
    """Whether a document has the namespace that a name is looked up in; else it is the one of its caller."""
    if not by_ref:
        return bool(document.templates)
    namespace = name.partition(".")[0]
    return bool(document.imports) if namespace == "imports" else namespace in document.scopes


def _named(step: StepNode) -> Node | None:
    for key in ("ref", "name"):
        node = step.keys.get(key)
        if node is not None and isinstance(node.value, str):
            return node
    return None


def _declare(steps: list[StepNode], document: Document, scope: Scope, seen: set[int]) -> None:
    """Lets the scope know every key that steps, their blocks and the flows they call may set."""
    if id(steps) in seen:
        return
    seen.add(id(steps))
    for step in steps:
        for name, node in step.writes():
            scope.write(name, node)
        for block in step.blocks.values():
            _declare(block, document, scope, seen)
        if step.spec.shape == "call":
            called = flow_of(step, document)
            if called is not None:
                _declare(called, document, scope, seen)
            else:
                scope.open = True
