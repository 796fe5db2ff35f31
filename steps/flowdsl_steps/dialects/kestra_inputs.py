"""The inputs of a Kestra flow as those of this language, each with the JSON Schema that its type stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.document.dialects import Findings, Node, made
from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.syntax.fixes import renamed
from flowdsl_steps.expressions.pebble_names import default_key

if TYPE_CHECKING:
    from flowdsl_steps.expressions.pebble_inputs import Moved

KEYS = (
    "id", "name", "type", "required", "defaults", "prefill", "dependsOn", "displayName", "description", "validator",
    "min", "max", "values", "options", "expression", "itemType", "allowCustomValue", "autoSelectFirst", "isRadio",
    "after", "before", "allowedFileExtensions", "accept",
)  # fmt: skip
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_DATES = {"DATE": r"^\d{4}-\d\d-\d\d$", "TIME": r"^\d\d:\d\d", "DATETIME": r"^\d{4}-\d\d-\d\dT\d\d:\d\d"}
TYPES: dict[str, dict[str, Any]] = {
    "STRING": {"type": "string"},
    "INT": {"type": "integer"},
    "FLOAT": {"type": "number"},
    "BOOLEAN": {"type": "boolean"},
    "BOOL": {"type": "boolean"},
    "SELECT": {"type": "string"},
    "ENUM": {"type": "string"},
    "MULTISELECT": {"type": "array", "items": {"type": "string"}},
    "ARRAY": {"type": "array"},
    **{name: {"type": "string", "pattern": pattern} for name, pattern in _DATES.items()},
    "DURATION": {"type": "string", "pattern": "^P"},
    "JSON": {},
    "YAML": {},
    "URI": {"type": "string", "pattern": r"^\w+:"},
    "EMAIL": {"type": "string", "pattern": r"^\S+@\S+$"},
    "FILE": {"type": "string"},
    "SECRET": {"type": "string", "writeOnly": True},
}
"""Type of an input → its schema."""
_TEXTUAL = ("STRING", "SELECT", "ENUM", "DATE", "TIME", "DATETIME", "DURATION", "URI", "EMAIL", "SECRET")
"""The types whose default may be an expression: its text is the value."""
_BOUNDS: dict[str, tuple[type, ...]] = {"INT": (int,), "FLOAT": (int, float)}
_ITEMS = {"STRING": "string", "INT": "integer", "FLOAT": "number", "BOOLEAN": "boolean"}


class Declared(NamedTuple):
    """The declarations of inputs by their ids, and the defaults that are expressions."""

    inputs: dict[str, Node]
    defaults: dict[str, Node]

    @property
    def moved(self) -> Moved:
        """Those that stand elsewhere than their names say."""
        keys = {id: default_key(id) if id in self.defaults else "" for id in self.inputs}
        return tuple((id, key) for id, key in keys.items() if key or "." in id)


def declared(node: Node | None, findings: Findings) -> Declared:
    """The declarations of a list of inputs."""
    if node is None or node.value is None:
        return Declared({}, {})
    if node.kind != "list":
        message = f"`inputs` takes a list, not {show(node.plain())}"
        findings.add("wrong-type", message, node, hint="write `- id: topic`, and `type: STRING` below it")
        return Declared({}, {})
    found: dict[str, Node] = {}
    defaults: dict[str, Node] = {}
    for each in node.value:
        if each.kind != "map":
            message = f"an input is a map with `id` and `type`, not {show(each.plain())}"
            findings.add("wrong-type", message, each)
            continue
        id = each.value.get("id", each.value.get("name"))
        if id is None or not isinstance(id.value, str) or _ID.fullmatch(id.value) is None:
            at = id or next(iter(each.keys.values()), each)
            findings.add("missing-key", "an input needs `id`", at, hint="letters, digits, `.`, `_` and `-`")
        elif id.value in found:
            findings.add("duplicate-key", f"there are two inputs `{id.value}`", id)
        elif (around := _around(id.value, found)) is not None:
            message = f"`{around[0]}` is an input, and `{around[1]}` stands inside of it"
            findings.add("duplicate-key", message, id, hint="give one of the two another id")
        else:
            found[id.value] = _declaration(each, str(id.value), findings, defaults)
    _depend(node, found, findings)
    return Declared(found, defaults)


def _around(id: str, others: Iterable[str]) -> tuple[str, str] | None:
    """An input, and the one that stands inside of it by its dots, of which one has this id."""
    for other in others:
        shorter, longer = sorted((id, other), key=len)
        if longer.startswith(f"{shorter}."):
            return shorter, longer
    return None


def _depend(inputs: Node, known: dict[str, Node], findings: Findings) -> None:
    """What is said of `dependsOn`: a run here is given its inputs at once, and asks for none of them by itself."""
    for each in inputs.value:
        depends = each.value.get("dependsOn") if each.kind == "map" else None
        if depends is None:
            continue
        names = depends.value.get("inputs") if depends.kind == "map" else None
        if names is None or names.kind != "list":
            hint = "write `dependsOn: {inputs: [topic]}`"
            message = f"`dependsOn` takes a map with a list `inputs`, not {show(depends.plain())}"
            findings.add("wrong-type", message, depends, hint=hint)
            continue
        for name in names.value:
            if name.value not in known:
                near = nearest(str(name.value), known)
                hint = f"did you mean `{near}`?" if near else f"the inputs are {', '.join(known)}"
                fix = renamed(name, near) if near else None
                findings.add(
                    "undefined-variable", f"there is no input {show(name.value)}", name, hint=hint, fixes=[fix]
                )
        message = "`dependsOn` has no effect here: all inputs are given at once"
        findings.add("no-effect", message, each.keys["dependsOn"], severity="note")


def _declaration(node: Node, id: str, findings: Findings, defaults: dict[str, Node]) -> Node:
    for name, key in node.keys.items():
        if name not in KEYS:
            findings.unknown_key(key, KEYS, f"the input `{id}`", beside=node.value)
    _kinds(node, id, findings)
    type = node.value.get("type")
    schema: dict[str, Any] = {}
    if type is None or not isinstance(type.value, str):
        at = type or node.keys.get("id") or next(iter(node.keys.values()))
        findings.add("missing-key", f"the input `{id}` needs `type`", at, hint="add `type: STRING`")
    elif type.value not in TYPES:
        near = nearest(type.value.upper(), TYPES)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(TYPES)}"
        fix = renamed(type, near) if near else None
        findings.add("not-a-choice", f"there is no type {show(type.value)} of inputs", type, hint=hint, fixes=[fix])
    else:
        schema = dict(TYPES[type.value])
    kind = type.value if type is not None else None
    values = node.value.get("values", node.value.get("options"))
    if kind in ("SELECT", "ENUM") and values is not None and values.kind == "list":
        plain = values.plain()
        if not (node.value.get("allowCustomValue") is not None and node.value["allowCustomValue"].value is True):
            schema["enum"] = plain
    elif kind == "MULTISELECT" and values is not None and values.kind == "list":
        schema["items"] = {"enum": values.plain()}
    elif kind == "ARRAY":
        item = node.value.get("itemType")
        if item is None:
            findings.add(
                "missing-key", f"the input `{id}` needs `itemType`", type or node, hint="add `itemType: STRING`"
            )
        elif item.value in _ITEMS:
            schema["items"] = {"type": _ITEMS[item.value]}
    for name, word in (("min", "minimum"), ("max", "maximum")):
        if name in node.value and kind in _BOUNDS and isinstance(node.value[name].value, _BOUNDS[kind]):
            schema[word] = node.value[name].plain()
    pattern = node.value.get("validator")
    if pattern is not None and _is_pattern(pattern, findings):
        schema["pattern"] = f"^(?:{pattern.value})$"
    if "description" in node.value and isinstance(node.value["description"].value, str):
        schema["description"] = node.value["description"]
    default = node.value.get("defaults")
    optional = node.value.get("required")
    if default is not None and kind in _TEXTUAL and isinstance(default.value, str) and "{{" in default.value:
        defaults[id] = default
        secret = {"writeOnly": True} if schema.pop("writeOnly", False) else {}
        schema = {"anyOf": [schema, {"type": "null"}], "default": None, **secret}
    elif default is not None and default.value is not None:
        _default(schema, default, id, kind, findings)
    elif kind in ("SELECT", "ENUM") and "enum" in schema and _is_true(node, "autoSelectFirst"):
        schema["default"] = schema["enum"][0]
    elif (optional is not None and optional.value is False) or "prefill" in node.value:
        secret = {"writeOnly": True} if schema.pop("writeOnly", False) else {}
        schema = {"anyOf": [schema, {"type": "null"}], "default": None, **secret} if schema else {"default": None}
    return made(schema, node.span)


_FLAGS = ("required", "allowCustomValue", "autoSelectFirst", "isRadio")


def _kinds(node: Node, id: str, findings: Findings) -> None:
    """What is of the wrong kind in an input, or goes with another type."""
    type = node.value.get("type")
    kind = type.value if type is not None else None
    for name, value in node.value.items():
        plain = value.plain()
        if name in _FLAGS and not isinstance(plain, bool):
            findings.add("wrong-type", f"`{name}` takes true or false, not {show(plain)}", value)
        elif name in ("displayName", "description", "validator") and not isinstance(plain, str):
            findings.add("wrong-type", f"`{name}` takes a text, not {show(plain)}", value, hint="quote it")
        elif name in ("min", "max") and kind in _BOUNDS:
            if isinstance(plain, bool) or not isinstance(plain, _BOUNDS[kind]):
                findings.add("wrong-type", f"`{name}` of the {kind} `{id}` takes a number, not {show(plain)}", value)
        elif name in ("min", "max", "after", "before") and kind in TYPES:
            message = f"`{name}` has no effect here: it is not looked at for the type {kind}"
            findings.add("no-effect", message, node.keys[name])
        elif name in ("values", "options") and value.kind != "list" and not (isinstance(plain, str) and "{{" in plain):
            findings.add("wrong-type", f"`{name}` takes a list, not {show(plain)}", value)
    default = node.value.get("defaults")
    if kind == "SECRET" and default is not None and default.value is not None and "{{" not in str(default.value):
        message = f"the secret input `{id}` has a default, which stands in the file for all to read"
        findings.add("plain-secret", message, type or node, hint="remove `defaults`, and give it to the run")


def _is_pattern(pattern: Node, findings: Findings) -> bool:
    if not isinstance(pattern.value, str):
        return False
    try:
        re.compile(pattern.value)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"`validator` is no regular expression: {error}"
        findings.add("wrong-pattern", message, pattern)
        return False
    return True


def _is_true(node: Node, name: str) -> bool:
    return name in node.value and node.value[name].value is True


def _default(schema: dict[str, Any], default: Node, id: str, kind: Any, findings: Findings) -> None:
    value = default.plain()
    if isinstance(value, str) and "{{" in value:
        message = f"the default of `{id}` is an expression, which no {kind} has here"
        findings.add("wrong-type", message, default, hint="give a plain value, or make it a STRING")
        return
    if isinstance(value, str) and kind in ("INT", "FLOAT", "BOOLEAN", "BOOL", "JSON", "YAML", "ARRAY", "MULTISELECT"):
        import json

        try:
            value = json.loads(value)
        except ValueError:
            pass
        else:
            default = made(value, default.span)
    wanted = {"integer": int, "number": (int, float), "boolean": bool, "array": list, "string": str}
    expected: Any = wanted.get(schema.get("type", ""), object)
    if not isinstance(value, expected) or (isinstance(value, bool) and schema.get("type") in ("integer", "number")):
        message = f"invalid default for input `{id}`: {show(value)} is not a valid {kind} value"
        findings.add("wrong-type", message, default)
        return
    schema["default"] = default
