"""What stands where a map belongs: the one value that a short form of other tools gives, or `name: value` as a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flowdsl.diagnostics import Diagnostic
from flowdsl.step.foreign import word_of
from flowdsl.syntax.core_schema import plain_value
from flowdsl.syntax.edits import replaced
from flowdsl.syntax.fixes import stands
from flowdsl.syntax.quoting import written

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.syntax.node import Node

_MOST = 20
"""So many entries are written anew."""
_NUMBER = "number"
"""The word behind a short form that stands for a number."""
_ENTRY = re.compile(r"\s*([\w.-]{1,80})\s{0,9}(?::\s{1,9}|=)(.*?)\s*", re.S)


def instead_of_map(found: Diagnostic, step: StepNode, key: str) -> Diagnostic:
    """A finding about an option that is no map, with the map to write where that is plain; else unchanged."""
    node = step.keys[key]
    if found.hint is not None or node.source is not found.span.source or step.key_nodes[key].source is not node.source:
        return found
    value = _map(node, step.spec.name, key)
    if value is None:
        return found
    text = f"{{{', '.join(f'{written(name)}: {shown}' for name, shown in value.items())}}}"
    if "\n" in node.span.text or not (stands(node) if node.kind == "scalar" else node.span.text.startswith("[")):
        return found._replace(hint=f"write `{key}: {text}`")
    fix = replaced(node.span, text, title=f"write `{key}: {text}`")
    return found._replace(hint=f"write `{key}: {text}`", fixes=(fix,))


def _map(node: Node, step: str, key: str) -> dict[str, str] | None:
    """The entries that are meant, each with its value as YAML."""
    short = word_of("SHORT", f"{step}.{key}")
    if short is not None:
        return _short(node, short.name or "", numeric=short.beside == _NUMBER)
    entries = _texts(node)
    if entries is None or not 0 < len(entries) <= _MOST:
        return None
    matches = [_ENTRY.fullmatch(entry) for entry in entries]
    return {match[1]: written(match[2]) for match in matches if match is not None} if all(matches) else None


def _short(node: Node, name: str, *, numeric: bool) -> dict[str, str] | None:
    """The map with the one key that a value alone stands for; of a number also as a text, or as true or false."""
    value: Any = node.value
    if node.kind != "scalar" or value is None:
        return None
    if not numeric:
        return {name: written(value)} if isinstance(value, str) else None
    if isinstance(value, bool):
        return {} if value else {name: "0"}
    value = plain_value(value) if isinstance(value, str) else value
    return {name: written(value)} if type(value) is int and value >= 0 else None


def _texts(node: Node) -> list[str] | None:
    """The entries in a text, `a=1&b=2`, or in a list of texts."""
    if node.kind == "scalar":
        text = node.value
        if not isinstance(text, str) or "{" in text:
            return None
        return re.split(r"&", text.lstrip("?")) if "=" in text and ": " not in text else [text]
    if node.kind == "list" and all(item.kind == "scalar" and isinstance(item.value, str) for item in node.value):
        return [item.value for item in node.value]
    return None
