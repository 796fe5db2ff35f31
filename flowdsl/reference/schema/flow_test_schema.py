"""The JSON Schema of a file of flow tests, made of the same tables that it is read by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.document.flow_tests import (
    CASE_KEYS,
    EXPECT_KEYS,
    FILE_KEYS,
    MATCHERS,
    MOCK_KEYS,
    RESPONSE_KEYS,
)
from flowdsl.reference.schema.step_schema import DIALECT, MARK

_KINDS: Mapping[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "map": {"type": "object"},
    "list": {"type": "array"},
    "number": {"type": "number", "exclusiveMinimum": 0},
    "integer": {"type": "integer"},
    "any": {},
}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_FAULT = {"type": "string", "pattern": r"^[a-z_0-9]+(:(\d+|\*))?(,.*)?$"}
_COUNT = {"type": "integer", "minimum": 0}
_EXPECTED = {"$ref": "#/$defs/expected"}
_FACTS = {"type": "object", "additionalProperties": _EXPECTED}


def flow_test_schema() -> dict[str, Any]:
    """The schema of a file of flow tests."""
    case = _keys(CASE_KEYS)
    case["expect"] = {**case["expect"], "$ref": "#/$defs/expect"}
    file = _keys(FILE_KEYS)
    file["tests"] = {**file["tests"], "minItems": 1, "items": {"$ref": "#/$defs/test"}}
    for keys in (case, file):
        keys["mocks"] = {**keys["mocks"], "items": {"$ref": "#/$defs/mock"}}
        keys["faults"] |= {"additionalProperties": {"anyOf": [_FAULT, {"type": "array", "items": _FAULT}]}}
        for name in ("env", "secrets"):
            keys[name] |= {"additionalProperties": {"type": "string"}}
        keys["asOf"] |= {"format": "date"}
    mock = _keys(MOCK_KEYS)
    mock["headers"] |= _TEXTS
    mock["status"] |= {"minimum": 100, "maximum": 599}
    answer = {key: mock[key] for key in RESPONSE_KEYS}
    mock["responses"] |= {"minItems": 1, "items": _closed(answer)}
    return {
        "$schema": DIALECT,
        "$comment": f"{MARK}; do not edit.",
        "title": "flowdsl tests",
        "description": "Cases of a flow: what each gives, and what must come of it.",
        **_closed(file, "tests"),
        "$defs": {
            "test": _closed(case, "name"),
            "mock": _closed(mock, "url"),
            "expect": _closed(_expect()),
            "expected": {
                "description": f"A value, or a map that says how it is compared: {', '.join(MATCHERS)}.",
            },
        },
    }


def _expect() -> dict[str, Any]:
    keys = _keys(EXPECT_KEYS)
    for name in ("outputs", "context"):
        keys[name] |= _FACTS
    keys["requests"] |= {"items": _FACTS}
    keys["events"] |= {"items": {"anyOf": [{"type": "string"}, {**_FACTS, "required": ["event"]}]}}
    keys["ran"] |= {"additionalProperties": _COUNT}
    number = {"type": "number", "minimum": 0}
    for name in ("images", "cost_usd"):
        keys[name] |= {"anyOf": [number, _matchers()]}
    keys["prompts"] |= {"anyOf": [{"const": "snapshot"}, {"type": "array", "items": _EXPECTED}]}
    keys["fails"] |= {"anyOf": [{"type": "boolean"}, {"type": "string"}, _FACTS]}
    return keys


def _matchers() -> dict[str, Any]:
    return {**_closed({word: {"description": text} for word, text in MATCHERS.items()}), "minProperties": 1}


def _keys(table: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, Any]]:
    return {name: {"description": text, **_KINDS[kind]} for name, (kind, text) in table.items()}


def _closed(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    head: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**head, "required": list(required)} if required else head
