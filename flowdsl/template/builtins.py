"""The functions every template has: `range`, `cycler`, `joiner`, and safe parts of `JSON`, `Object` and `Math`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from flowdsl.errors import TemplateError
from flowdsl.template import json_text
from flowdsl.template.limits import check_items
from flowdsl.template.members import Method, exposed
from flowdsl.template.numbers import floor, plus, round_half_up
from flowdsl.template.syntax import BUILTIN_NAMES
from flowdsl.template.values import UNDEFINED, is_array, is_number, own_keys, property_key, to_number, truthy


def span(start: Any = UNDEFINED, stop: Any = UNDEFINED, step: Any = UNDEFINED, *_: Any) -> list[Any]:
    """The numbers from `start` up to, without, `stop`; one argument counts from 0.

    Raises: TemplateError when there would be too many.
    """
    if stop is UNDEFINED:
        start, stop, step = 0, start, 1
    low, high, by = to_number(start), to_number(stop), to_number(step) if truthy(step) else 1
    if low != low or high != high or by != by or low in (math.inf, -math.inf):
        return []
    check_items((high - low) / by)
    if isinstance(low, int) and isinstance(by, int) and by:
        return list(range(low, math.ceil(high), by)) if by > 0 else list(range(low, math.floor(high), by))
    found = []
    while low < high if by > 0 else low > high:
        found.append(low)
        low = plus(low, by)
        check_items(len(found))
    return found


class Cycler:
    """Items one after the other, again and again."""

    def __init__(self, *items: Any) -> None:
        self._items = items
        self._index = -1
        self.current: Any = None

    def next(self, *_: Any, **_named: Any) -> Any:
        """The next item."""
        self._index = self._index + 1 if self._index + 1 < len(self._items) else 0
        self.current = self._items[self._index] if self._items else UNDEFINED
        return self.current

    def reset(self, *_: Any, **_named: Any) -> Any:
        """Start again; gives undefined."""
        self._index = -1
        self.current = None
        return UNDEFINED


exposed(Cycler, "current", "next", "reset")


def joiner(separator: Any = UNDEFINED, *_: Any) -> Any:
    """A function that gives "" the first time and the separator from then on."""
    between = separator if truthy(separator) else ","
    used = False

    def join(*_: Any) -> Any:
        nonlocal used
        text, used = (between if used else ""), True
        return text

    return Method("joiner", join)


def _extreme(choose: Any, empty: float) -> Any:
    def extreme(*values: Any) -> Any:
        numbers = [to_number(value) for value in values]
        return math.nan if any(n != n for n in numbers) else choose(numbers, default=empty)

    return extreme


def _object_keys(value: Any = UNDEFINED, *_: Any) -> list[Any]:
    if value is None or value is UNDEFINED:
        raise TemplateError("Object.keys needs a mapping or list, not nothing")
    if is_array(value) or isinstance(value, str):
        return [str(index) for index in range(len(value))]
    return [property_key(key) for key in own_keys(value)] if isinstance(value, Mapping) else []


def _parse(text: Any = UNDEFINED, *_: Any) -> Any:
    if not isinstance(text, str):
        return text if is_number(text) or isinstance(text, bool) or text is None else json_text.parse("undefined")
    return json_text.parse(text)


def _object_values(value: Any = UNDEFINED, *_: Any) -> list[Any]:
    return [value[key] for key in own_keys(value)] if isinstance(value, Mapping) else []


def _object_entries(value: Any = UNDEFINED, *_: Any) -> list[Any]:
    return [[property_key(key), value[key]] for key in own_keys(value)] if isinstance(value, Mapping) else []


def _stringify(value: Any = UNDEFINED, _replacer: Any = None, indent: Any = UNDEFINED, *_: Any) -> Any:
    return json_text.stringify(value, indent)


def _listed(**functions: Any) -> dict[str, Any]:
    return {name: Method(name, function) for name, function in functions.items()}


MATH: Final = _listed(
    abs=lambda value=UNDEFINED, *_: abs(to_number(value)),
    ceil=lambda value=UNDEFINED, *_: round_half_up(to_number(value), 0, "ceil"),
    floor=lambda value=UNDEFINED, *_: floor(to_number(value)),
    max=_extreme(max, -math.inf),
    min=_extreme(min, math.inf),
    round=lambda value=UNDEFINED, *_: round_half_up(to_number(value)),
)
JSON: Final = _listed(parse=_parse, stringify=_stringify)
OBJECT: Final = _listed(keys=_object_keys, values=_object_values, entries=_object_entries)
_FUNCTIONS = _listed(cycler=Cycler, joiner=joiner, range=span)
BUILTINS: Final[dict[str, Any]] = dict(zip(BUILTIN_NAMES, (JSON, MATH, OBJECT, *_FUNCTIONS.values()), strict=True))
