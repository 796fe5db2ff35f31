"""The values of templates: JavaScript's rules for text, truth, equality, order and `+`, over Python objects.

None is null, `UNDEFINED` is undefined, int and float are one number type, lists and tuples are arrays, mappings are
objects.
Source: ECMA-262, section 7 (abstract operations), as far as templates reach it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from flowdsl.template.limits import Visit, join_checked
from flowdsl.template.numbers import number_text, parse_number


@final
class Undefined:
    """The type of `UNDEFINED`: what a missing name or member is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


class SafeText(str):
    """Text that is not HTML-escaped again."""

    __slots__ = ()


class Pattern:
    """A regular expression literal; `source` and `flags` as written."""

    __slots__ = ("flags", "source")

    def __init__(self, source: str, flags: str) -> None:
        self.source = source
        self.flags = flags

    def __repr__(self) -> str:
        return f"Pattern({self.source!r}, {self.flags!r})"


def is_array(value: Any) -> bool:
    """Whether a value is an array."""
    return isinstance(value, (list, tuple))


def is_number(value: Any) -> bool:
    """Whether a value is a number; a bool is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_exact(value: Any) -> bool:
    """Whether a value is a number of another type of Python, such as a Decimal or a Fraction: it counts as a number."""
    return hasattr(value, "as_integer_ratio")


def truthy(value: Any) -> bool:
    """JavaScript truth: empty lists and mappings are true, as is the text "0"."""
    if isinstance(value, (str, bool, int)):
        return bool(value)
    if isinstance(value, float):
        return value == value and value != 0.0
    return value is not None and value is not UNDEFINED


def output_text(value: Any) -> str:
    """The text a value prints as; null and undefined print nothing.

    Raises: TemplateError for a function and for lists nested too deep.
    """
    if isinstance(value, str):
        return value
    if value is None or value is UNDEFINED:
        return ""
    return to_text(value)


def to_text(value: Any) -> str:
    """JavaScript's text of a value: `null` and `undefined` by name, lists joined by commas.

    Raises: TemplateError for a function and for lists nested too deep.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, (list, tuple)):
        return _list_text(value, ",", Visit(), 0)
    return _object_text(value)


def join_texts(items: Sequence[Any], separator: str) -> str:
    """The texts of items between separators; null and undefined are empty."""
    return _list_text(items, separator, Visit(), 0)


def _list_text(items: Sequence[Any], separator: str, visit: Visit, depth: int) -> str:
    visit.enter(len(items), depth)
    parts = []
    for item in items:
        if item is None or item is UNDEFINED:
            parts.append("")
        elif isinstance(item, (list, tuple)):
            parts.append(_list_text(item, ",", visit, depth + 1))
        else:
            parts.append(to_text(item))
    return join_checked(separator, parts)


def _object_text(value: Any) -> str:
    own = getattr(type(value), "__flow_text__", None)
    if own is not None:
        return str(own(value))
    if is_exact(value):
        return number_text(to_number(value))
    if isinstance(value, Pattern):
        return f"/{value.source}/{value.flags}"
    if callable(value):
        from flowdsl.errors import TemplateError

        raise TemplateError("a function has no text", hint="call it: add `()`")
    return "[object Object]"


def _primitive(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, Undefined)):
        return value
    return to_text(value)


def to_number(value: Any) -> int | float:
    """JavaScript's number of a value; what is none gives NaN."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    if value is None:
        return 0
    if value is UNDEFINED or isinstance(value, Mapping):
        return float("nan")
    if is_exact(value):
        return _of_other_type(value)
    return parse_number(to_text(value))


def _of_other_type(value: Any) -> int | float:
    """A number of another type of Python: whole ones stay exact as far as a float reaches."""
    try:
        found = float(value)
    except OverflowError:  # a Fraction beyond it
        return math.inf if value > 0 else -math.inf
    except ValueError:  # a Decimal that signals not to be a number
        return math.nan
    return int(value) if math.isfinite(found) and value == int(value) else found


def strict_eq(a: Any, b: Any) -> bool:
    """`===`: same type and value; lists and mappings by identity."""
    if isinstance(a, str):
        return isinstance(b, str) and str.__eq__(a, b)
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)):
        return isinstance(b, (int, float)) and a == b
    return a is b


def loose_eq(a: Any, b: Any) -> bool:
    """`==`: null equals undefined, numbers equal their text, a list equals its text."""
    if isinstance(a, str) and isinstance(b, str):
        return str.__eq__(a, b)
    if a is None or a is UNDEFINED:
        return b is None or b is UNDEFINED
    if b is None or b is UNDEFINED:
        return False
    a_object, b_object = not isinstance(a, (str, int, float)), not isinstance(b, (str, int, float))
    if a_object and b_object:
        return a is b
    if a_object or b_object:
        return loose_eq(_primitive(a), _primitive(b))
    return to_number(a) == to_number(b)


def compare(a: Any, b: Any, operator: str) -> bool:
    """One of `< > <= >=`: two texts by UTF-16 unit, everything else as numbers; NaN is never in order."""
    if not (type(a) is int and type(b) is int):
        a, b = _primitive(a), _primitive(b)
        if isinstance(a, str) and isinstance(b, str):
            if not (a.isascii() and b.isascii()):
                a, b = a.encode("utf-16-be", "surrogatepass"), b.encode("utf-16-be", "surrogatepass")
        else:
            a, b = to_number(a), to_number(b)
    if operator == "<":
        return bool(a < b)
    if operator == ">":
        return bool(a > b)
    return bool(a <= b) if operator == "<=" else bool(a >= b)


def property_key(key: Any) -> str:
    """The text a member's key stands for: `1` is "1"."""
    return key if type(key) is str else to_text(key)


def _integer_like(key: str) -> bool:
    return key.isdigit() and key.isascii() and (key == "0" or key[0] != "0") and len(key) <= 10


def own_keys(mapping: Mapping[Any, Any]) -> list[Any]:
    """A mapping's keys in JavaScript's order: integer-like keys ascending, then the others as inserted."""
    keys = list(mapping)
    if any(type(k) is not str or k[:1].isdigit() for k in keys):
        whole = [k for k in keys if _integer_like(property_key(k))]
        if whole:
            keys = sorted(whole, key=lambda k: int(property_key(k))) + [
                k for k in keys if not _integer_like(property_key(k))
            ]
    return keys
