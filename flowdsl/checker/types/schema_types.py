"""Types from JSON Schema: what declared inputs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.checker.types.kinds import (
    ALL,
    ANY,
    OF_BOOLEAN,
    OF_INTEGER,
    OF_NULL,
    OF_NUMBER,
    OF_TEXT,
    Type,
    join,
    list_of,
    map_of,
    of_value,
)
from flowdsl.document.document import Document

_SIMPLE = {
    "string": OF_TEXT,
    "integer": OF_INTEGER,
    "number": OF_NUMBER,
    "boolean": OF_BOOLEAN,
    "null": OF_NULL,
}


def input_types(document: Document) -> dict[str, Type]:
    """The types of the declared inputs."""
    found = {}
    for name, declaration in (document.inputs or {}).items():
        type = schema_type(declaration.schema)
        default = of_value(declaration.default) if declaration.has_default else type
        # a default that does not fit is reported, and says nothing
        found[name] = join(type, default) if type.is_any or default.kinds & type.kinds & ALL else type
    return found


def schema_type(schema: Any) -> Type:
    """What fits a JSON Schema, as far as its `type`, `enum`, `const`, `items` and `properties` say it."""
    if not isinstance(schema, Mapping):
        return ANY
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list) and values:
        return _joined([of_value(value) for value in values])
    names = schema.get("type")
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not names:
        return ANY
    return _joined([_named(name, schema) for name in names])


def _joined(types: list[Type]) -> Type:
    found = types[0]
    for type in types[1:]:
        found = join(found, type)
    return found


def _named(name: Any, schema: Mapping[str, Any]) -> Type:
    if name == "array":
        return list_of(schema_type(schema.get("items")))
    if name == "object":
        properties = schema.get("properties")
        keys = {key: schema_type(value) for key, value in properties.items()} if isinstance(properties, Mapping) else {}
        return map_of(keys, open=schema.get("additionalProperties") is not False)
    return _SIMPLE.get(name, ANY) if isinstance(name, str) else ANY
