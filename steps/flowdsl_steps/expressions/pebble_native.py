"""Texts of Pebble as templates of this language, where one means exactly the same.

These are texts with names in them of which it is known that they are texts, whole numbers, or true and false, as both
languages print those alike: inputs, variables, the flow's own names, the value and number of an iteration, what an
image task gives. And `secret` and, where a key stands, `kv`, which become secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.secrets.plain import names_secret
from flowdsl.template.nodes import Output, Statement, Text
from flowdsl_steps.expressions.pebble_grammar import GRAMMAR
from flowdsl_steps.expressions.pebble_names import output_key

Path = tuple[str, ...]
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_INPUTS = {"string": str, "integer": int, "boolean": bool}
_KINDS: dict[Path, type] = {
    ("flow", "id"): str,
    ("flow", "namespace"): str,
    ("flow", "revision"): int,
    ("taskrun", "value"): str,
    ("taskrun", "iteration"): int,
    ("item", "value"): str,
    ("item", "index"): int,
}
_OF_IMAGE: dict[Path, type] = {
    ("finishReason",): str,
    ("tokenUsage", "inputTokenCount"): int,
    ("tokenUsage", "outputTokenCount"): int,
    ("tokenUsage", "totalTokenCount"): int,
    ("imageUrl",): str,
}


def native(body: list[Statement], text: str, flow: Mapping[str, Any], key: str) -> str | None:
    """The template of a text at the `key` of a flow; None where there is none with the same meaning."""
    parts: list[str] = []
    for statement in body:
        if isinstance(statement, Text):
            parts.append(re.sub(r"\{(?=[{%#])", "{{ '{' }}", statement.text))
            continue
        if not isinstance(statement, Output):
            return None
        at = statement.expression
        tree = GRAMMAR.tree("output", text[at.start : at.end], 0).children[0]
        found = _secret(tree, key) or _name(tree, flow, alone=len(body) == 1)
        if found is None:
            return None
        parts.append(f"{{{{ {found} }}}}")
    return "".join(parts)


def _secret(tree: Any, key: str) -> str | None:
    """`secret('X')`, also for a stored value that is a key."""
    if tree.data != "function" or len(tree.children) != 2:
        return None
    name, arguments = tree.children
    if str(name) != "secret" and not (str(name) == "kv" and names_secret(key)):
        return None
    if len(arguments.children) != 1 or arguments.children[0].data != "text":
        return None
    variable = str(arguments.children[0].children[0])[1:-1]
    return f"secret('{variable}')" if _IDENTIFIER.fullmatch(variable) else None


def condition(body: list[Statement], text: str, flow: Mapping[str, Any]) -> str | None:
    """The same of a condition: a name that is true or false, or the comparison of a name with a value of its type."""
    if len(body) != 1 or not isinstance(body[0], Output):
        return None
    at = body[0].expression
    tree = GRAMMAR.tree("output", text[at.start : at.end], 0).children[0]
    if tree.data != "comparison":
        found = _known(tree, flow)
        return f"{{{{ {found[0]} }}}}" if found is not None and found[1] is bool else None
    left, operator, right = tree.children
    found, value = _known(left, flow), _constant(right)
    if found is None or value is None or found[1] is not value[1] or str(operator) not in ("==", "!="):
        return None
    return f"{{{{ {found[0]} {operator} {value[0]} }}}}"


def _constant(tree: Any) -> tuple[str, type] | None:
    """A text without escapes, or true or false, as it is written."""
    if tree.data in ("true", "false"):
        return tree.data, bool
    if tree.data == "text" and not re.search(r"['\"\\]", str(tree.children[0])[1:-1]):
        return str(tree.children[0]), str
    return None


def _name(tree: Any, flow: Mapping[str, Any], *, alone: bool) -> str | None:
    """A name whose value both languages print alike; a text also in capitals, or in small letters."""
    if tree.data == "filter" and len(tree.children) == 2 and str(tree.children[1]) in ("upper", "lower"):
        found = _known(tree.children[0], flow)
        return f"{found[0]} | {tree.children[1]}" if found is not None and found[1] is str else None
    found = _known(tree, flow)
    if found is None:
        return None
    return f"{found[0]} | string" if alone and found[1] is not str else found[0]


def _known(tree: Any, flow: Mapping[str, Any]) -> tuple[str, type] | None:
    """A name as it is written here, and the type of its value; None where nobody knows that."""
    path = _path(tree)
    if path is None or len(path) < 2:
        return None
    if path[0] == "outputs":
        path = (output_key(path[1]), *path[2:])
        kind = _OF_IMAGE.get(path[1:]) if path[0] in _image_keys(flow) else None
    elif path[0] == "inputs":
        kind = _kind_of_input(flow, path)
    elif path[0] == "vars":
        kind = _kind_of_variable(flow, path)
    else:
        kind = _KINDS.get(path)
    if kind is None:
        return None
    root = path if path[0] == "inputs" else ("flowContext", *path)
    written = "".join(f".{part}" if _IDENTIFIER.fullmatch(part) else f"['{part}']" for part in root[1:])
    return f"{root[0]}{written}", kind


def _path(tree: Any) -> Path | None:
    parts: list[str] = []
    while tree.data in ("attribute", "subscript"):
        tree, step = tree.children
        if getattr(step, "data", None) is not None:
            if step.data != "text":
                return None
            step = str(step.children[0])[1:-1]
            if re.search(r"['\"\\]", step):
                return None
        parts.append(str(step))
    return (str(tree.children[0]), *reversed(parts)) if tree.data == "name" else None


def _kind_of_input(flow: Mapping[str, Any], path: Path) -> type | None:
    declared = flow.get("inputs", {}).get(path[1]) if len(path) == 2 else None
    kind = declared.get("type") if isinstance(declared, dict) else None
    return _INPUTS.get(kind) if isinstance(kind, str) else None


def _kind_of_variable(flow: Mapping[str, Any], path: Path) -> type | None:
    """The type of a variable, which the first step of the flow sets."""
    value = flow["flow"][0]
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return type(value) if isinstance(value, (str, int)) else None


def _image_keys(found: Any) -> Iterator[str]:
    """The keys of the FlowContext that hold what an image task gives."""
    if isinstance(found, dict) and found.get("step") == "IMAGE_GENERATION":
        yield from (each["name"] for each in found.get("outputs", ()) if each["type"] == "object")
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    for each in inner:
        yield from _image_keys(each)
