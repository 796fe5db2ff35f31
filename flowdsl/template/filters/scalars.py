"""Filters on numbers and on any value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.template import json_text
from flowdsl.template.filters.record import filter_named
from flowdsl.template.numbers import is_finite, number_text, parse_float, parse_int, round_half_up, tidy, to_integer
from flowdsl.template.values import UNDEFINED, is_array, is_number, to_number, to_text, truthy


@filter_named("abs", gives="number", quick=True)
def absolute(value: Any) -> Any:
    """The number without its sign."""
    return tidy(abs(to_number(value)))


@filter_named("default", "d", quick=True, replaces_undefined=True)
def default(value: Any, fallback: Any = UNDEFINED, falsy: Any = False) -> Any:
    """The value, or the fallback when it is undefined (with `falsy`, also when it is false, 0, null or "")."""
    if truthy(falsy):
        return value if truthy(value) else fallback
    return fallback if value is UNDEFINED else value


@filter_named("json", "dump", gives="json", elsewhere=("tojson", "dumps", "to_json"))
def dump(value: Any, indent: Any = UNDEFINED) -> Any:
    """The JSON text of the value."""
    return json_text.stringify(value, indent)


@filter_named("int", gives="number", quick=True)
def to_int(value: Any, default: Any = UNDEFINED, base: Any = UNDEFINED) -> Any:
    """The integer at the start of the text, else the default."""
    if type(value) is int and base is UNDEFINED:
        return value
    radix = 10 if base is UNDEFINED else to_integer(to_number(base))
    found = parse_int(value if isinstance(value, str) else to_text(value), radix)
    return default if found != found else found


@filter_named("float", gives="number", quick=True)
def to_float(value: Any, default: Any = UNDEFINED) -> Any:
    """The number at the start of the text, else the default."""
    if is_number(value):
        return default if value != value else value
    found = parse_float(value if isinstance(value, str) else to_text(value))
    return default if found != found else found


@filter_named("round", gives="number", quick=True)
def round_number(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    """The number rounded to so many places; halves go up; `method` may be "ceil" or "floor"."""
    places = to_integer(to_number(precision)) if truthy(precision) else 0
    return round_half_up(to_number(value), places, method if isinstance(method, str) else "common")


@filter_named(
    "length",
    gives="integer",
    takes="a list, text or map",
    quick=True,
    shows_value=True,
    elsewhere=("count", "len", "size"),
)
def length(value: Any) -> Any:
    """The number of characters, items or keys; 0 for nothing, undefined for numbers."""
    if isinstance(value, (str, list, tuple, Mapping)):
        return len(value)
    return 0 if value is None or value is UNDEFINED or value is False else UNDEFINED


@filter_named("toInt", gives="number", quick=True)
def to_int_or_zero(value: Any, default: Any = 0) -> Any:
    """The integer at the start of the text, else the default, which is 0."""
    return to_int(value, default)


@filter_named("toFloat", gives="number", quick=True)
def to_float_or_zero(value: Any, default: Any = 0) -> Any:
    """The number at the start of the text, else the default, which is 0."""
    return to_float(value, default)


@filter_named("isString", gives="boolean", quick=True)
def is_string(value: Any) -> bool:
    """Whether the value is text."""
    return isinstance(value, str)


@filter_named("isObject", gives="boolean", quick=True)
def is_object(value: Any) -> bool:
    """Whether the value is a mapping."""
    return isinstance(value, Mapping) and not is_array(value)


@filter_named("isNull", gives="boolean", quick=True)
def is_null(value: Any) -> bool:
    """Whether the value is null."""
    return value is None


@filter_named("isNumber", gives="boolean", quick=True)
def is_finite_number(value: Any) -> bool:
    """Whether the value is a number and not NaN."""
    return is_number(value) and (is_finite(value) or number_text(value) != "NaN")
