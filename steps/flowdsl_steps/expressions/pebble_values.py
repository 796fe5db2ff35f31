"""Values as Pebble takes them: text, truth, equality, order and arithmetic by Java's rules, as far as they reach.

What is undefined goes through each of these unchanged: where a name must be there, `required` refuses it, and where it
need not (left of `??`, before `default`, in `is defined`), what is made of it is as undefined.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl.template import UNDEFINED
from flowdsl.template.json_text import stringify
from flowdsl.template.limits import check_items, check_size
from flowdsl.template.members import Method

_MOST = 2**63


def passing(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of values that gives undefined where one of them is."""

    @wraps(function)
    def pass_on(*values: Any) -> Any:
        return UNDEFINED if any(value is UNDEFINED for value in values) else function(*values)

    return pass_on


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a map" if isinstance(value, Mapping) else "a list"


def required(value: Any, shown: str, start: int, end: int) -> Any:
    """The value of a name.

    Raises:
        TemplateError: it is undefined. It stands from `start` to `end`, as `shown` says.
    """
    if value is UNDEFINED or isinstance(value, Method):
        message, hint = f"there is no `{shown}`", f"write `{shown} ?? 'other'` where it may be missing"
        raise TemplateError(message, code="undefined-variable", hint=hint, start=start, end=end)
    return value


def text_of(value: Any) -> str:
    """What a value prints as: nothing for null, JSON for lists and maps."""
    if isinstance(value, str):
        return str(value)
    if value is None or value is UNDEFINED:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    written = stringify(value)
    return written if isinstance(written, str) else ""


def joined(*values: Any) -> str:
    """The texts of values one behind the other."""
    parts = [*map(text_of, values)]
    check_size(sum(map(len, parts)))
    return "".join(parts)


def truth(value: Any) -> bool:
    """The truth of a condition: also the text "false" is true, as every text that is not empty.

    Raises:
        TemplateError: null, lists and maps have none.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, (str, int, float)):
        return bool(value)
    if value is UNDEFINED:
        return False
    raise TemplateError(f"{kind_of(value)} is neither true nor false", hint="compare it, or ask `is empty`")


def choice_truth(value: Any) -> bool:
    """The truth of what stands before `?`: there null is false."""
    return False if value is None else truth(value)


@passing
def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same: a text is no number, and 3.0 is 3."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


@passing
def unequal(left: Any, right: Any) -> bool:
    """Whether two values differ."""
    return not equal(left, right)


def _ordered(sign: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    @passing
    def ordered(left: Any, right: Any) -> bool:
        both = (left, right)
        if all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in both):
            return compare(left, right)
        if all(isinstance(each, str) for each in both):
            return compare(str(left), str(right))
        raise TemplateError(
            f"`{sign}` compares {kind_of(left)} with {kind_of(right)}",
            hint="compare two numbers, or two texts: `| number` makes a number of a text",
        )

    return ordered


COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": equal,
    "equals": equal,
    "!=": unequal,
    "<": _ordered("<", operator.lt),
    ">": _ordered(">", operator.gt),
    "<=": _ordered("<=", operator.le),
    ">=": _ordered(">=", operator.ge),
}


def _numbers(sign: str, left: Any, right: Any) -> None:
    for value in (left, right):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TemplateError(
                f"`{sign}` needs two numbers, and one of them is {kind_of(value)}",
                hint="a name with a dash in it is written in brackets: `inputs['a-b']`" if sign == "-" else None,
            )


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and not -_MOST <= value < _MOST:
        raise TemplateError("a whole number goes beyond 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise TemplateError("a number goes beyond what can be counted with")
    return value


@passing
def plus(left: Any, right: Any) -> Any:
    """The sum of numbers, the texts of both where one is a text, or a list with one item more."""
    if isinstance(left, list):
        added = right if isinstance(right, list) else [right]
        check_items(len(left) + len(added))
        return [*left, *added]
    if isinstance(left, str) or isinstance(right, str):
        return joined(*("null" if value is None else value for value in (left, right)))
    _numbers("+", left, right)
    return _bounded(left + right)


@passing
def minus(left: Any, right: Any) -> Any:
    """The difference of numbers, or a list without an item."""
    if isinstance(left, list):
        gone = right if isinstance(right, list) else [right]
        return [item for item in left if item not in gone]
    _numbers("-", left, right)
    return _bounded(left - right)


@passing
def times(left: Any, right: Any) -> Any:
    """The product of numbers."""
    _numbers("*", left, right)
    return _bounded(left * right)


@passing
def divided(left: Any, right: Any) -> Any:
    """The quotient; that of whole numbers is whole, without its remainder."""
    _numbers("/", left, right)
    _not_zero(right)
    if isinstance(left, int) and isinstance(right, int):
        return _bounded(abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1))
    return _bounded(left / right)


@passing
def remainder(left: Any, right: Any) -> Any:
    """The remainder, with the sign of the dividend."""
    _numbers("%", left, right)
    _not_zero(right)
    found = math.fmod(left, right)
    return int(found) if isinstance(left, int) and isinstance(right, int) else found


def _not_zero(value: Any) -> None:
    if not value:
        raise TemplateError("a number is divided by 0")


ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": plus,
    "-": minus,
    "*": times,
    "/": divided,
    "%": remainder,
}


@passing
def negative(value: Any) -> Any:
    """A number with the other sign."""
    _numbers("-", value, 0)
    return -value


@passing
def positive(value: Any) -> Any:
    """A number as it is."""
    _numbers("+", value, 0)
    return value


@passing
def contains(whole: Any, part: Any) -> bool:
    """Whether a list has an item (or all of a list), a map a key, a text a part; nothing is in null.

    Raises:
        TemplateError: a number holds nothing.
    """
    if whole is None:
        return False
    if isinstance(whole, str):
        return text_of(part) in whole
    if isinstance(whole, Mapping):
        return all(each in whole for each in part) if isinstance(part, list) else part in whole
    if isinstance(whole, list):
        return all(any(map(_same(each), whole)) for each in (part if isinstance(part, list) else [part]))
    raise TemplateError(f"`contains` needs a list, a map or a text on its left, not {kind_of(whole)}")


def _same(value: Any) -> Callable[[Any], bool]:
    return lambda other: bool(equal(value, other))


@passing
def is_in(part: Any, whole: Any) -> bool:
    """Whether a value is in a list, a map or a text, compared as texts."""
    shown = text_of(part)
    if isinstance(whole, Mapping):
        return any(shown == text_of(each) for each in (*whole, *whole.values()))
    if isinstance(whole, list):
        return any(shown == text_of(each) for each in whole)
    return whole is not None and shown == text_of(whole)


@passing
def counted(first: Any, last: Any) -> list[Any]:
    """The whole numbers, or the letters, from one to another."""
    if isinstance(first, str) and isinstance(last, str) and len(first) == len(last) == 1:
        return [chr(code) for code in _between(ord(first), ord(last), 1)]
    _numbers("..", first, last)
    return [*_between(int(first), int(last), 1)]


def _between(first: int, last: int, step: int) -> range:
    if step == 0:
        raise TemplateError("a range of steps of 0 never ends")
    found = range(first, last + 1, step) if step > 0 else range(first, last - 1, step)
    if not found and step > 0 and first > last:
        found = range(first, last - 1, -step)
    check_items(len(found))
    return found


@passing
def items(value: Any) -> list[Any]:
    """What a loop walks: the items of a list, the entries of a map with `key` and `value`, nothing for null.

    Raises:
        TemplateError: a text or a number has no items.
    """
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [{"key": key, "value": item} for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [*value]
    raise TemplateError(f"a loop walks over a list or a map, not {kind_of(value)}")


def is_empty(value: Any) -> bool:
    """Whether a value is null, a text of blanks, or a list or map without items."""
    if value is None or value is UNDEFINED:
        return True
    if isinstance(value, str):
        return not value.strip()
    return not value if isinstance(value, (list, Mapping)) else False


TESTS: Mapping[str, Callable[..., Any]] = {
    "defined": lambda value: value is not UNDEFINED and not isinstance(value, Method),
    "null": passing(lambda value: value is None),
    "none": passing(lambda value: value is None),
    "empty": is_empty,
    "even": passing(lambda value: _whole(value) % 2 == 0),
    "odd": passing(lambda value: _whole(value) % 2 != 0),
    "map": passing(lambda value: isinstance(value, Mapping)),
    "iterable": passing(lambda value: isinstance(value, (list, Mapping))),
    "json": passing(lambda value: _is_json(value)),
}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TemplateError(f"only a whole number is even or odd, not {kind_of(value)}")
    return value


def _is_json(value: Any) -> bool:
    import json

    try:
        json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
