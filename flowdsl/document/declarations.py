"""What a flow declares: its inputs and its service entries, by name."""

from __future__ import annotations

from flowdsl.document.builder import Builder
from flowdsl.document.document import InputDeclaration
from flowdsl.document.findings import Findings
from flowdsl.nearest import nearest
from flowdsl.services import all_settings, is_secret, other_names, setting
from flowdsl.step.problem import show
from flowdsl.step.spec import is_templated
from flowdsl.syntax import fixes
from flowdsl.syntax.node import Node


def build_inputs(node: Node | None, findings: Findings) -> dict[str, InputDeclaration] | None:
    """The declared inputs by name; None when the flow has no `inputs`."""
    if node is None:
        return None
    if node.kind != "map":
        named = _listed(node)
        if node.value is not None:
            findings.add(
                "wrong-type",
                f"`inputs` takes a map from name to JSON Schema, not {show(node.plain())}",
                node,
                hint=f"write `inputs: {{{next(iter(named), 'topic')}: {{type: string}}}}`",
            )
        return {name: InputDeclaration(name, {}, False, None, item) for name, item in named.items()}
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
            fix = fixes.enclosed(schema, before, "}", title=hint) if schema.kind == "scalar" else None
            message = f"an input is declared by a JSON Schema, a map, not {show(schema.plain())}"
            findings.add("wrong-type", message, schema, hint=hint, fixes=[fix])
            declared[name] = InputDeclaration(name, {}, False, None, schema)
    return declared


def _listed(node: Node) -> dict[str, Node]:
    """The inputs of a list of them, as other tools write it, by what names each."""
    items = node.value if node.kind == "list" else []
    ids = ((item.value.get("id") or item.value.get("name"), item) for item in items if item.kind == "map")
    return {name.value: item for name, item in ids if name is not None and isinstance(name.value, str)}


def _as_schema(name: str, schema: Node) -> tuple[str, str]:
    """How a type, or a value that an input is to have, is written as a schema: as a hint, and what stands before it."""
    from flowdsl.step.foreign import word_of

    value = schema.plain()
    is_type = isinstance(value, str) and (value in _TYPES or word_of("INPUT_TYPES", value) is not None)
    kind = next(kind for kind, of in _TYPES.items() if isinstance(value, of))
    before = "{type: " if is_type else f"{{type: {kind}, default: "
    shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else show(value).strip("`")
    return f"write `{name}: {before}{shown}}}`", before


_TYPES = {"string": str, "boolean": bool, "integer": int, "number": float, "array": list, "object": dict}


def build_services(node: Node | None, builder: Builder) -> dict[str, Node]:
    """The service entries of a document by name."""
    findings = builder.findings
    if node is None or (node.kind == "scalar" and node.value is None):
        return {}
    if node.kind != "map":
        findings.add("wrong-type", f"`services` takes a map from name to settings, not {show(node.plain())}", node)
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
