"""Blocks: the constants, vars and flows that a document declares for its flows to reuse."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowdsl.document.builder import Builder
from flowdsl.document.document import BlockSet, Steps
from flowdsl.document.root_keys import BLOCK_KINDS
from flowdsl.document.steps import build_steps
from flowdsl.record import Record
from flowdsl.step.problem import show
from flowdsl.step.spec import IDENTIFIER, is_templated
from flowdsl.syntax.node import Node


def build_blocks(node: Node | None, path: str, builder: Builder) -> BlockSet:
    """The blocks of a mapping, with every mistake of their form reported; `path` is where their flows stand."""
    found = _Blocks({}, {}, {}, {}, {})
    if node is not None and node.kind == "map":
        _sort(node, found, path, builder)
    elif node is not None and node.value is not None:
        message = f"`blocks` takes a map with constants, vars and flows, not {show(node.plain())}"
        builder.findings.add("wrong-type", message, node)
    blocks = BlockSet(**found._asdict())
    builder.blocks.append(blocks)
    return blocks


class _Blocks(Record):
    constants: dict[str, Any]
    values: dict[str, Node]
    vars: dict[str, Node]
    flows: dict[str, Steps]
    keys: dict[tuple[str, str], Node]


def _sort(node: Node, blocks: _Blocks, path: str, builder: Builder) -> None:
    findings = builder.findings
    for name, value in node.value.items():
        if name == "scripts":
            hint = "write it as expressions in templates, or as a step of the host"
            findings.add("scripts-refused", "JavaScript in `scripts` is not run", node.keys[name], hint=hint)
        elif name not in BLOCK_KINDS:
            findings.unknown_key(node.keys[name], BLOCK_KINDS, "blocks", beside=node.value)
        elif value.kind == "map":
            _entries(name, value, blocks, path, builder)
        elif value.value is not None:
            findings.add("wrong-type", f"`{name}` takes a map from name to value, not {show(value.plain())}", value)


def _entries(kind: str, node: Node, blocks: _Blocks, path: str, builder: Builder) -> None:
    findings = builder.findings
    for name, value in node.value.items():
        key = node.keys[name]
        if not re.match(IDENTIFIER, name):
            hint = "use letters, digits and _, and start with a letter or _"
            findings.add("wrong-pattern", f"`{name}` cannot be a name in `{kind}`", key, hint=hint)
        blocks.keys[kind, name] = key
        if kind == "constants":
            blocks.constants[name], blocks.values[name] = value.plain(), value
            if value.kind == "scalar" and isinstance(value.value, str) and is_templated(value.value):
                hint = "move it to `vars` if the template is meant to be resolved"
                message = f"the constant `{name}` is used unchanged, and it looks like a template"
                findings.add("template-in-constant", message, value, hint=hint)
        elif kind == "vars":
            if isinstance(value.value, str):
                blocks.vars[name] = value
            else:
                hint = "put it under `constants`"
                findings.add(
                    "wrong-type", f"a var is a text with templates, not {show(value.plain())}", value, hint=hint
                )
        else:
            blocks.flows[name] = build_steps(value, f"{path}.flows.{name}", builder)


def constant_names(scopes: Mapping[str, BlockSet]) -> dict[str, Any]:
    """The names that the `from` of an import can read: the constants of each namespace."""
    return {scope: {"constants": blocks.constants} for scope, blocks in scopes.items()}
