"""The tests after `is`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flowdsl.template.members import Method
from flowdsl.template.numbers import remainder
from flowdsl.template.values import (
    UNDEFINED,
    SafeText,
    Undefined,
    compare,
    is_array,
    is_number,
    strict_eq,
    to_number,
    to_text,
    truthy,
)

Test = Callable[..., bool]


def _callable(value: Any, *_: Any) -> bool:
    return isinstance(value, Method) or (callable(value) and not isinstance(value, Undefined))


def _divisible(value: Any, by: Any = UNDEFINED, *_: Any) -> bool:
    return remainder(to_number(value), to_number(by)) == 0


def _order(operator: str) -> Test:
    return lambda value, other=UNDEFINED, *_: compare(value, other, operator)


def _eq(value: Any, other: Any = UNDEFINED, *_: Any) -> bool:
    return strict_eq(value, other)


def _ne(value: Any, other: Any = UNDEFINED, *_: Any) -> bool:
    return not strict_eq(value, other)


def _number(value: Any, *_: Any) -> bool:
    return is_number(value)


def _null(value: Any, *_: Any) -> bool:
    return value is None


TESTS: Final[Mapping[str, Test]] = {
    "callable": _callable,
    "defined": lambda value, *_: value is not UNDEFINED,
    "divisibleby": _divisible,
    "eq": _eq,
    "equalto": _eq,
    "escaped": lambda value, *_: isinstance(value, SafeText),
    "even": lambda value, *_: remainder(to_number(value), 2) == 0,
    "falsy": lambda value, *_: not truthy(value),
    "ge": _order(">="),
    "greaterthan": _order(">"),
    "gt": _order(">"),
    "iterable": lambda value, *_: isinstance(value, str) or is_array(value),
    "le": _order("<="),
    "lessthan": _order("<"),
    "lower": lambda value, *_: isinstance(value, str) and value.lower() == value,
    "lt": _order("<"),
    "mapping": lambda value, *_: isinstance(value, Mapping),
    "ne": _ne,
    "none": _null,
    "null": _null,
    "number": _number,
    "odd": lambda value, *_: remainder(to_number(value), 2) == 1,
    "sameas": _eq,
    "string": lambda value, *_: isinstance(value, str),
    "truthy": lambda value, *_: truthy(value),
    "undefined": lambda value, *_: value is UNDEFINED,
    "upper": lambda value, *_: isinstance(value, str) and to_text(value).upper() == value,
}
ACCEPT_UNDEFINED: Final = frozenset(
    (
        "callable",
        "defined",
        "eq",
        "equalto",
        "falsy",
        "mapping",
        "ne",
        "none",
        "null",
        "number",
        "sameas",
        "string",
        "truthy",
        "undefined",
    )
)
"""The tests that say something sensible of undefined."""
