"""What is decided without jsonschema is what jsonschema decides."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flowdsl.checker.plain_schema import fits_plainly, is_plain_schema

TEXTS = st.sampled_from(["", "a", "ab", "autumn", "http://x", "1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.sampled_from([0.0, 1.0, 1.5, float("nan")]) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NUMBERS = st.integers(-2, 4) | st.sampled_from([1.0, 2.5, True])
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", "text", ["string"]])


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas, most of them valid, with the keywords that are decided plainly and some others."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES,
            "title": TEXTS,
            "default": VALUES,
            "examples": st.lists(VALUES, max_size=1),
            "enum": st.lists(VALUES, max_size=3),
            "minimum": NUMBERS,
            "maximum": NUMBERS,
            "minLength": NUMBERS,
            "maxLength": NUMBERS,
            "minItems": NUMBERS,
            "maxItems": NUMBERS,
            "pattern": st.sampled_from(["^a", "[", "b$", "[[a]]", 7]),
            "items": inner,
            "required": st.lists(TEXTS, max_size=2),
            "properties": st.dictionaries(TEXTS, inner, max_size=2),
            "const": VALUES,
        },
    )


SCHEMAS = st.recursive(keywords(st.nothing() | st.just({})), keywords, max_leaves=3)


def is_valid_schema(schema: Any) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return not list(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))


@given(SCHEMAS, VALUES)
def test_a_plain_yes_is_a_yes_of_jsonschema(schema: dict[str, Any], value: Any) -> None:
    if not is_plain_schema(schema):
        return
    assert is_valid_schema(schema)
    if fits_plainly(schema, value):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            assert Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "fitting", "unfitting"),
    [
        ({"type": "string", "minLength": 2, "default": "Lisbon"}, "Oslo", "O"),
        ({"enum": ["spring", "summer"]}, "spring", "winter"),
        ({"type": "integer", "minimum": 1, "maximum": 12}, 3, 13),
        ({"type": "integer"}, 3, True),
        ({"type": "string", "pattern": "^https?://"}, "https://x", "ftp://x"),
        ({"type": "array", "minItems": 1, "items": {"type": "string"}}, ["a"], ["a", 1]),
        ({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}, {"name": "a"}, {}),
    ],
    ids=["text", "choice", "number", "whole number", "pattern", "list", "map"],
)
def test_the_schemas_of_most_inputs_are_plain(schema: dict[str, Any], fitting: Any, unfitting: Any) -> None:
    assert is_plain_schema(schema)
    assert fits_plainly(schema, fitting)
    assert not fits_plainly(schema, unfitting)


@pytest.mark.parametrize(
    "schema",
    [{"type": "text"}, {"minLength": -1}, {"minimum": True}, {"pattern": "["}, {"items": {"type": 1}}, {"$ref": "#"}],
    ids=["unknown type", "negative length", "a boolean for a number", "bad pattern", "inside", "a reference"],
)
def test_what_is_not_plain_is_left_to_jsonschema(schema: dict[str, Any]) -> None:
    assert not is_plain_schema(schema)
