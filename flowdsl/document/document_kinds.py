"""What a file is, by the keys of its root, and what to say when it is nothing we know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.diagnostics import Related
from flowdsl.document.document import StepNode
from flowdsl.document.findings import Findings
from flowdsl.document.root_keys import ROOT_KEYS
from flowdsl.nearest import nearest
from flowdsl.syntax import fixes
from flowdsl.syntax.edits import indented
from flowdsl.syntax.node import Node

if TYPE_CHECKING:
    from flowdsl.document.builder import Builder
    from flowdsl.step.foreign import Word

OTHER_ROOTS = {"tests": "a file of flow tests"}


def is_module(root: Node) -> bool:
    """Whether a root is that of a module: it declares blocks, and no flow."""
    return root.kind == "map" and ("blocks" in root.value or "BLOCKS" in root.value) and "flow" not in root.value


def not_a_flow(root: Node, builder: Builder) -> Node | None:
    """Reports a map that has no `flow`, with what it looks like; the list of steps that is meant, where it is plain."""
    from flowdsl.document.step_forms import as_steps, form_fix, form_hint, meant_steps
    from flowdsl.step.foreign import document

    keys, findings = list(root.value), builder.findings
    kind = next((OTHER_ROOTS[key] for key in keys if key in OTHER_ROOTS), None)
    at = root.keys[keys[0]] if keys else root
    foreign = document(keys, [item.value if item.kind == "map" else () for item in root.value.values()])
    if foreign is not None:
        hint = "a flow is a list of steps, or a map with `flow:`"
        findings.add("not-a-flow", f"this is {foreign}, and not a flow; it is not read here", at, hint=hint)
    elif kind:
        findings.add("not-a-flow", f"this is {kind}, and a flow is needed: a list of steps, or a map with `flow:`", at)
    elif any(key.startswith("-") for key in keys):
        hint = "write `- step: NAME`, with a space behind the dash"
        findings.add("not-a-flow", "a flow is a list of steps, and this map is none", at, hint=hint)
    elif not any(key in ROOT_KEYS for key in keys) and (meant := meant_steps(root, builder)) is not None:
        alone = len(meant) == 1 and meant[0].key == "step"
        message = f"a flow is a list of steps, and this {'is one step without its dash' if alone else 'map is none'}"
        fix = form_fix(root, meant, builder, dashes=True)
        findings.add("not-a-flow", message, root.keys[meant[0].key], hint=form_hint(meant), fixes=[fix])
        return Node("list", as_steps(root, meant, builder), root.source, root.start, root.end)
    else:
        near = next((key for key in keys if _is_flow(key) and root.value[key].kind == "list"), None)
        near = near or next((key for key in keys if nearest(key, ("flow", "steps"))), None)
        hint = "did you mean `flow`?" if near else "put the steps under `flow:`"
        message = "a flow is a list of steps, or a map with `flow:`, and this map has no `flow`"
        spelt = fixes.renamed(root.keys[near], "flow") if near else None
        findings.add("not-a-flow", message, root.keys[near] if near else at, hint=hint, fixes=[spelt])
    return None


def _word(key: str) -> Word | None:
    from flowdsl.step.foreign import word_of

    return word_of("ROOT", key)


def _is_flow(key: str) -> bool:
    """Whether other tools call the steps of a flow so."""
    word = _word(key)
    return word is not None and word.name == "flow"


def misnested_keys(root: Node, last: StepNode | None, findings: Findings, *, presented: bool = False) -> None:
    """Keys of the root that do not belong there: most often a key of the last step that lost its indentation.

    `presented`: it is an action of a kit, where other keys say how it is shown; only misspelt ones are reported.
    """
    for name, key in root.keys.items():
        if name in ROOT_KEYS:
            continue
        if last is not None and name in last.spec.keys and key.start > last.node.start:
            columns = last.name_node.source.position(last.node.start).col - 1
            line = key.source.position(key.start).line
            findings.add(
                "misnested-key",
                f"`{name}` belongs inside the step above, and its indentation puts it outside",
                key,
                hint=f"indent it to {columns} spaces",
                related=(Related(last.name_node.span, "the step above"),),
                fixes=[indented(key.source, line, columns)],
            )
        elif not presented and (word := _word(name)) is not None:
            _foreign(root, key, word, findings)
        elif not presented or nearest(name, ROOT_KEYS):
            findings.unknown_key(key, ROOT_KEYS, "a flow", beside=root.value)


def _foreign(root: Node, key: Node, word: Word, findings: Findings) -> None:
    """Reports a root key that other tools have: what it is here."""
    hint, fix = word.hint, fixes.removed(root, key.value) if word.goes else None
    if word.name is not None and word.name in root.value:
        hint, fix = f"keep `{word.name}`", fixes.removed(root, key.value)
    elif word.name is not None:
        hint, fix = f"write `{word.name}`", fixes.renamed(key, word.name)
    findings.add("unknown-key", f"`{key.value}` is not a key of a flow", key, hint=hint, fixes=[fix])
