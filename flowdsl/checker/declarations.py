"""What a flow declares: inputs with their JSON Schemas, outputs, services."""

from __future__ import annotations

from typing import Any

from flowdsl.checker.findings import Findings
from flowdsl.checker.inputs import SCHEMA_FAULTS, TYPES, misfit
from flowdsl.checker.references import check_setting
from flowdsl.document.document import InputDeclaration
from flowdsl.errors import ConfigError
from flowdsl.nearest import nearest
from flowdsl.services import all_settings, is_secret, other_names, problem_of, setting
from flowdsl.step.rules import show
from flowdsl.step.spec import is_templated, type_name
from flowdsl.syntax.yaml_reader import Node

_PLAIN_KEYS = frozenset({"type", "title", "description", "default", "examples"})
_PLAIN_TYPES = {"string": "text", "integer": "integer", "boolean": "boolean", "array": "list", "object": "map"}


def check_inputs(node: Node | None, findings: Findings) -> dict[str, InputDeclaration] | None:
    """The declared inputs by name; None when the flow has no `inputs`."""
    if node is None:
        return None
    if node.kind != "map":
        if node.value is not None:
            findings.add(
                "wrong-type",
                f"`inputs` takes a map from name to JSON Schema, not {show(node.plain())}",
                node,
                hint="write `inputs: {topic: {type: string}}`",
            )
        return {}
    declared = {}
    for name, schema in node.value.items():
        if schema.kind == "map":
            values = schema.plain()
            default = values.pop("default", None)
            has_default = "default" in schema.value
            declared[name] = InputDeclaration(name, values, has_default, default, schema)
            _check_schema(name, schema, values, has_default, default, findings)
        elif schema.value is None:
            declared[name] = InputDeclaration(name, {}, False, None, schema)
        else:
            hint = f"write `{name}: {{type: {schema.value}}}`" if isinstance(schema.value, str) else None
            findings.add(
                "wrong-type",
                f"an input is declared by a JSON Schema, a map, not {show(schema.plain())}",
                schema,
                hint=hint,
            )
            declared[name] = InputDeclaration(name, {}, False, None, schema)
    return declared


def _check_schema(
    name: str, node: Node, schema: dict[str, Any], has_default: bool, default: Any, findings: Findings
) -> None:
    """Reports a schema that is none, and a default that does not fit it."""
    type = schema.get("type")
    plain = _PLAIN_TYPES.get(type) if isinstance(type, str) and set(schema) <= _PLAIN_KEYS else None
    if plain is not None and (not has_default or type_name(default) == plain):
        return  # the common case, decided without importing jsonschema
    import warnings

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of odd patterns
            Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        _invalid_schema(error, node, findings)
        return
    except SCHEMA_FAULTS as error:
        findings.add("invalid-schema", f"this is not a JSON Schema: {error}", node)
        return
    if not has_default:
        return
    try:
        found = misfit(schema, default)
    except ConfigError as error:
        findings.add("invalid-schema", error.message, node)
        return
    if found is not None:
        message = f"the default of `{name}` does not fit its schema: {found[1]}"
        findings.add("invalid-default", message, node.value["default"])


def _invalid_schema(error: Any, node: Node, findings: Findings) -> None:
    """Reports where a schema is none."""
    at, value = _at(node, error.absolute_path), error.instance
    if list(error.absolute_path)[-1:] == ["type"] and isinstance(value, str):
        near = _OTHER_TYPES.get(value.lower()) or nearest(value, TYPES)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(TYPES)}"
        findings.add("invalid-schema", f"{show(value)} is not a type of JSON Schema", at, hint=hint)
    else:
        findings.add("invalid-schema", f"this is not a JSON Schema: {error.message}", at)


_OTHER_TYPES = {
    **dict.fromkeys(("text", "str"), "string"),
    **dict.fromkeys(("map", "dict"), "object"),
    **dict.fromkeys(("list", "tuple"), "array"),
    **dict.fromkeys(("int", "whole"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("bool",), "boolean"),
}
"""Names that other languages have for the types."""


def _at(node: Node, path: Any) -> Node:
    for key in path:
        try:
            node = node.value[key]
        except (LookupError, TypeError):  # the place is not in the file: the node above it
            return node
    return node


def check_services(node: Node | None, findings: Findings) -> dict[str, Node]:
    """The service entries of a document by name."""
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
        _check_entry(entry, findings)
    return entries


def _check_entry(entry: Node, findings: Findings) -> None:
    of = entry.value["provider"].value if "provider" in entry.value else None
    for key, value in entry.value.items():
        if setting(key, of) is None:
            findings.unknown_key(entry.keys[key], all_settings(), "a service entry", other_names())
            continue
        check_setting(value, findings)
        templated = isinstance(value.value, str) and is_templated(value.value)
        if is_secret(key) and isinstance(value.value, str) and value.value and not templated:
            findings.add(
                "plain-secret",
                f"`{key}` stands in the file, where everybody who has the file can read it",
                entry.keys[key],
                hint=f"write `{key}: \"{{{{ secret('MY_KEY') }}}}\"`, which reads the environment variable MY_KEY",
                severity="warning",
            )
        elif not templated and (problem := problem_of(key, value.plain(), of)) is not None:
            findings.add(problem.code, problem.message, value, hint=problem.hint)
