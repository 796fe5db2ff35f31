"""Keywords that JSON Schema does not have and somebody expects: they do nothing, and are worth a word.

Other unknown keywords are left alone: a host may read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from flowdsl.nearest import nearest
from flowdsl.syntax import fixes
from flowdsl.syntax.quoting import written

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.diagnostics import Fix
    from flowdsl.syntax.node import Node

_KEYWORDS: Final = (
    *("type", "enum", "const", "default", "title", "description", "examples", "deprecated", "readOnly", "writeOnly"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern"),
    *("format", "contentEncoding", "contentMediaType", "contentSchema", "minItems", "maxItems", "uniqueItems", "items"),
    *("prefixItems", "contains", "minContains", "maxContains", "properties", "required", "additionalProperties"),
    *("patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
    *("unevaluatedItems", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    *("definitions", "dependencies", "additionalItems"),
)
_OF_TYPE: Final = {
    "min": {"string": "minLength", "array": "minItems", "object": "minProperties", "": "minimum"},
    "max": {"string": "maxLength", "array": "maxItems", "object": "maxProperties", "": "maximum"},
}
_WORDS: Final = {
    **dict.fromkeys(("choices", "options", "values", "allowed", "allowedValues", "one_of", "oneof"), "enum"),
    **dict.fromkeys(("regex", "regexp", "match", "matches"), "pattern"),
    **dict.fromkeys(("maxlen", "max_length", "maxlength", "max_len"), "maxLength"),
    **dict.fromkeys(("minlen", "min_length", "minlength", "min_len"), "minLength"),
    **dict.fromkeys(("value", "defaults", "fallback", "defaultValue", "default_value"), "default"),
    **dict.fromkeys(("fields", "props", "keys"), "properties"),
    **dict.fromkeys(("elements", "item"), "items"),
    "step": "multipleOf",
    "types": "type",
    "min_items": "minItems",
    "max_items": "maxItems",
}
_INSIDE: Final = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_BESIDE: Final = ("items", "contains", "additionalProperties", "not", "if", "then", "else", "propertyNames")


def foreign_keywords(schema: Node, findings: Findings) -> None:
    """Adds to `findings` each keyword of a schema, and of those inside it, that is one of another language."""
    for part in _schemas(schema):
        for name, key in part.keys.items():
            if name in _KEYWORDS or name.startswith(("$", "x-")):
                continue
            found = _meant(part, name)
            if found is not None:
                message = f"`{name}` is no keyword of JSON Schema, and does nothing"
                findings.add("invalid-schema", message, key, hint=found[0], severity="warning", fixes=[found[1]])


def _schemas(node: Node) -> Iterator[Node]:
    if node.kind != "map":
        return
    yield node
    for name, value in node.value.items():
        if name in _INSIDE and value.kind == "map":
            for inner in value.value.values():
                yield from _schemas(inner)
        elif name in _BESIDE:
            yield from _schemas(value)
        elif name in ("allOf", "anyOf", "oneOf", "prefixItems") and value.kind == "list":
            for inner in value.value:
                yield from _schemas(inner)


def _meant(schema: Node, name: str) -> tuple[str, Fix | None] | None:
    """What a keyword would be here: as a hint, and as its fix."""
    key, value = schema.keys[name], schema.value[name].value
    kind = schema.value["type"].plain() if "type" in schema.value else None
    if name in ("optional", "nullable", "multiple", "range"):
        return _written_otherwise(schema, name, value)
    of_type = _OF_TYPE.get(name)
    if of_type is not None:
        right: str | None = of_type.get(kind if isinstance(kind, str) else "", of_type[""])
    else:
        right = _WORDS.get(name) or (nearest(name, _KEYWORDS) if len(name) > 3 else None)
    if right is None or right in schema.value:
        return None
    return f"write `{right}`", fixes.renamed(key, right)


def _written_otherwise(schema: Node, name: str, value: Any) -> tuple[str, Fix | None]:
    if name == "optional" and value is True and "default" not in schema.value:
        kind = schema.value["type"].plain() if "type" in schema.value else None
        empty = {"string": "", "array": [], "object": {}, "boolean": False, "integer": 0, "number": 0}
        default = empty.get(kind, "") if isinstance(kind, str) else ""
        shown = written(default)
        hint = f"an input with a `default` need not be given: write `default: {shown}`, or another value"
        parts = fixes.renamed(schema.keys[name], "default"), fixes.renamed(schema.value[name], default)
        return hint, fixes.together(parts, title=f"write `default: {shown}`")
    if name == "optional":
        what = "an input with a `default` need not be given" if value else "an input without a `default` must be given"
        return f"{what}: remove it", fixes.removed(schema, name)
    if name == "nullable":
        return "null is a type of its own: write `type: [string, 'null']`, with the type it has", None
    if name == "multiple":
        return "a list of them is `type: array`, with the type of one under `items`", None
    return "write `minimum` and `maximum`", None
