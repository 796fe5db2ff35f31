"""The schemas that most inputs have, decided without jsonschema, whose import takes longer than checking a flow.

Both functions only ever say yes where jsonschema does; a no means that it has to be asked.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def is_plain_schema(schema: Any) -> bool:
    """Whether a value is a JSON Schema of the keywords below, at any depth."""
    return isinstance(schema, dict) and all(
        keyword in _KEYWORDS and _KEYWORDS[keyword](value) for keyword, value in schema.items()
    )


def fits_plainly(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a value fits a plain schema."""
    return all(fits(schema[keyword], value) for keyword, fits in _FITS.items() if keyword in schema)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_pattern(value: Any) -> bool:
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of odd patterns
            re.compile(value)
    except (re.error, TypeError, OverflowError, RecursionError):
        return False
    return isinstance(value, str)


def _are_schemas(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) and is_plain_schema(one) for key, one in value.items())


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": _is_text,
    "integer": lambda value: type(value) is int,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}
_KEYWORDS: dict[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) and value in _TYPES,
    "title": _is_text,
    "description": _is_text,
    "default": lambda value: True,
    "examples": lambda value: isinstance(value, list),
    "enum": _are_texts,
    "minimum": _is_number,
    "maximum": _is_number,
    "minLength": _is_count,
    "maxLength": _is_count,
    "pattern": _is_pattern,
    "minItems": _is_count,
    "maxItems": _is_count,
    "items": is_plain_schema,
    "required": _are_texts,
    "properties": _are_schemas,
}
"""Keyword → whether its value is one that a plain schema may have."""


def _all_fit(schema: Mapping[str, Any], values: list[Any]) -> bool:
    return all(fits_plainly(schema, value) for value in values)


def _has_match(pattern: str, text: str) -> bool:
    from flowdsl.step.json_schema import is_simple

    return is_simple(pattern, text) and re.search(pattern, text) is not None  # others may need a limit of time


_FITS: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda name, value: _TYPES[name](value),
    "enum": lambda choices, value: isinstance(value, str) and value in choices,
    "minimum": lambda least, value: not _is_number(value) or value >= least,
    "maximum": lambda most, value: not _is_number(value) or value <= most,
    "minLength": lambda least, value: not isinstance(value, str) or len(value) >= least,
    "maxLength": lambda most, value: not isinstance(value, str) or len(value) <= most,
    "pattern": lambda pattern, value: not isinstance(value, str) or _has_match(pattern, value),
    "minItems": lambda least, value: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda most, value: not isinstance(value, list) or len(value) <= most,
    "items": lambda schema, value: not isinstance(value, list) or _all_fit(schema, value),
    "required": lambda names, value: not isinstance(value, dict) or value.keys() >= set(names),
    "properties": lambda schemas, value: (
        not isinstance(value, dict)
        or all(fits_plainly(schema, value[name]) for name, schema in schemas.items() if name in value)
    ),
}
"""Keyword → whether a value fits its value. A keyword speaks of one kind of values only; others fit."""
