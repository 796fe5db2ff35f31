"""What a flow declares: its inputs and its service entries, by name."""

from __future__ import annotations

import re

from flowdsl.diagnostics import Fix
from flowdsl.document.builder import Builder
from flowdsl.document.document import InputDeclaration
from flowdsl.document.findings import Findings
from flowdsl.nearest import nearest
from flowdsl.services import all_settings, is_secret, other_names, setting
from flowdsl.source import Span
from flowdsl.step.problem import show
from flowdsl.step.spec import IDENTIFIER, is_templated
from flowdsl.syntax import fixes
from flowdsl.syntax.edits import replaced
from flowdsl.syntax.node import Node
from flowdsl.syntax.quoting import written


def build_inputs(node: Node | None, findings: Findings) -> dict[str, InputDeclaration] | None:
    """The declared inputs by name; None when the flow has no `inputs`."""
    if node is None:
        return None
    if node.kind != "map":
        named = _listed(node)
        if node.value is not None:
            written = f"{{{', '.join(f'{name}: {schema}' for name, schema in _schemas(named).items())}}}"
            message = f"`inputs` takes a map from name to JSON Schema, not {show(node.plain())}"
            title = f"write `inputs: {written}`"
            fix = _as_map(node, written, title) if named else None
            findings.add("wrong-type", message, node, hint=title, fixes=[fix])
        return {name: InputDeclaration(name, {}, False, None, item) for name, item in named.items()}
    properties = node.value.get("properties")
    if properties is not None and properties.kind == "map" and "type" in node.value:
        message = "`inputs` maps each name to its JSON Schema, and is no schema of all of them"
        hint = "write what stands in `properties` under `inputs`, without `type` and `properties`"
        findings.add("wrong-type", message, node.keys["type"], hint=hint)
        node = properties
    declared = {}
    for name, schema in node.value.items():
        if schema.kind == "map":
            values = schema.plain()
            default = values.pop("default", None)
            has_default = "default" in schema.value
            declared[name] = InputDeclaration(name, values, has_default, default, schema)
        elif schema.value is None:
            declared[name] = InputDeclaration(name, {}, False, None, schema)
        else:
            hint, before = _as_schema(name, schema)
            fix = fixes.enclosed(schema, before, "}", title=hint)
            message = f"an input is declared by a JSON Schema, a map, not {show(schema.plain())}"
            findings.add("wrong-type", message, schema, hint=hint, fixes=[fix])
            declared[name] = InputDeclaration(name, {}, False, None, schema)
    return declared


def _listed(node: Node) -> dict[str, Node]:
    """The inputs of a list of them, as other tools write it, by what names each."""
    named = {}
    for item in node.value if node.kind == "list" else [node]:
        name = item if item.kind == "scalar" else None
        if item.kind == "map":
            only = next(iter(item.keys.values())) if len(item.keys) == 1 else None
            name = item.value.get("id") or item.value.get("name") or only
        if name is None or not isinstance(name.value, str) or name.value in _TYPES:
            continue
        if re.match(IDENTIFIER, name.value):
            named[name.value] = item
    return named


def _as_map(node: Node, written: str, title: str) -> Fix | None:
    """Declarations in place of a list of names, unless more than names and types stands in it."""
    items = node.value if node.kind == "list" else [node]
    if not all(_says_no_more(item) for item in items):
        return None
    text = node.source.text[node.start : node.end].rstrip()
    blank = " " if node.source.text[: node.start].endswith("\n") else ""  # a map in brackets is indented
    return replaced(Span(node.source, node.start, node.start + len(text)), blank + written, title=title)


def _says_no_more(item: Node) -> bool:
    """Whether an input of a list has no more than its name and its type."""
    if item.kind != "map" or item.value.keys() <= {"id", "name", "type"}:
        return item.kind != "list"
    (schema,) = list(item.value.values())[:2] if len(item.value) == 1 else [item]
    return schema.kind == "scalar" or (schema.kind == "map" and schema.value.keys() <= {"type"})


def _schemas(named: dict[str, Node]) -> dict[str, str]:
    """How the inputs of a list are declared; with the type that stands in it, where that is one."""
    found = {}
    for name, item in named.items():
        schema = item.value.get(name, item) if item.kind == "map" else item
        kind = schema.value.get("type") if schema.kind == "map" else schema
        of_type = kind.value if kind is not None and kind.kind == "scalar" and kind.value in _TYPES else "string"
        found[name] = f"{{type: {of_type}}}"
    return found or {"topic": "{type: string}"}


def _as_schema(name: str, schema: Node) -> tuple[str, str]:
    """How a type, or a value that an input is to have, is written as a schema: as a hint, and what stands before it."""
    from flowdsl.step.foreign import word_of

    value = schema.plain()
    is_type = isinstance(value, str) and (value in _TYPES or word_of("INPUT_TYPES", value) is not None)
    kind = next(kind for kind, of in _TYPES.items() if isinstance(value, of))
    before = "{type: " if is_type else f"{{type: {kind}, default: "
    if isinstance(value, list) and value and all(isinstance(item, (str, int, float)) for item in value):
        before = "{enum: "  # one of them, as nearly always
    shown = f"[{', '.join(map(written, value))}]" if isinstance(value, list) else show(value).strip("`")
    return f"write `{name}: {before}{shown}}}`", before


_TYPES = {"string": str, "boolean": bool, "integer": int, "number": float, "array": list, "object": dict}


def build_services(node: Node | None, builder: Builder) -> dict[str, Node]:
    """The service entries of a document by name."""
    findings = builder.findings
    if node is None or (node.kind == "scalar" and node.value is None):
        return {}
    if node.kind != "map":
        hint = "write each name as a key with its settings below it: `NAME: {apiKey: …}`"
        message = f"`services` takes a map from name to settings, not {show(node.plain())}"
        findings.add("wrong-type", message, node, hint=hint)
        return {}
    entries = {}
    for name, entry in node.value.items():
        if entry.kind != "map":
            findings.add("wrong-type", f"a service entry is a map of settings, not {show(entry.plain())}", entry)
            continue
        entries[name] = entry
        of = entry.value["provider"].value if "provider" in entry.value else None
        for key, value in entry.value.items():
            if not is_templated(value.span.text) and _may_be_secret(key, of):
                value.source.conceal(value.span.start, value.span.end)
        for key in entry.value:
            if setting(key, of) is None:
                known = all_settings()
                findings.unknown_key(entry.keys[key], known, "a service entry", other_names(), beside=entry.value)
    builder.services.append(entries)
    return entries


def _may_be_secret(key: str, provider_name: object) -> bool:
    """Whether a setting is a secret; one that does not exist is, unless it is one that may be shown, misspelt."""
    if setting(key, provider_name) is None:
        others = other_names()
        near = nearest(key, [*all_settings(provider_name), *others])
        key = others.get(key) or others.get(near or "", near or "")
    return not key or is_secret(key)
