"""`input` and `output` of a pipeline of Redpanda Connect, as those of FOR_RECORDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flowdsl.document.dialects import Findings, Node, made
from flowdsl.syntax.fixes import renamed
from flowdsl_steps.dialects.redpanda_texts import BEGIN, interpolated, plain_text
from flowdsl_steps.records.settings import Wrong, input_faults, output_faults

_BESIDE = ("label", "type")
"""What a component has beside its own key."""


def lowered_input(node: Node | None, findings: Findings) -> Node | None:
    """The input; None where there is none, or it is not right."""
    return _lowered(node, input_faults, findings)


def lowered_output(node: Node | None, findings: Findings) -> Node | None:
    """The output; None where there is none, or it is not right."""
    return _lowered(node, output_faults, findings)


def _lowered(node: Node | None, faults: Callable[[Any], Iterator[Wrong]], findings: Findings) -> Node | None:
    if node is None or (node.kind == "scalar" and node.value is None):
        return None
    own = node
    if node.kind == "map":
        own = made({name: value for name, value in node.value.items() if name not in _BESIDE}, node.span)
        own.keys = {name: key for name, key in node.keys.items() if name not in _BESIDE}
        if not own.value:
            return None
    wrong = list(faults(own.plain()))
    for each in wrong:
        at = _place(own, each)
        fix = renamed(at, each.near) if each.near else None
        findings.add(each.code, each.message, at, hint=each.hint, severity="error", fixes=[fix])
    return None if wrong else _with_variables(own, "", findings)


def _place(node: Node, wrong: Wrong) -> Node:
    """Where something is wrong: as deep as the file goes."""
    for number, name in enumerate(wrong.inside):
        if node.kind != "map" or name not in node.value:
            break
        if wrong.on_key and number == len(wrong.inside) - 1:
            return node.keys[str(name)]
        node = node.value[name]
    return node


def _with_variables(node: Node, name: str, findings: Findings) -> Node:
    """The same with variables of the environment as templates, and queries looked over."""
    if node.kind == "map":
        found = made({key: _with_variables(value, key, findings) for key, value in node.value.items()}, node.span)
        found.keys = dict(node.keys)
        return found
    if node.kind == "list":
        return made([_with_variables(item, name, findings) for item in node.value], node.span)
    if not isinstance(node.value, str) or "{" not in node.value:
        return node
    if name == "path" and BEGIN in node.value:
        return interpolated(node, name, findings) or node
    return plain_text(node, name, findings) or node
