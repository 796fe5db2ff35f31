"""What is known of a filter: one record, written above its function by `@filter_named(…)`.

The compiler, the checker and docs/templates.md read these records, so that a new filter is its function with this line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeVar

from flowdsl.template.values import SafeText

F = TypeVar("F", bound=Callable[..., Any])

Gives = Literal[
    "any",
    "boolean",
    "integer",
    "item",
    "items",
    "json",
    "list",
    "map",
    "number",
    "replaced",
    "reversed",
    "rows",
    "split",
    "sum",
    "text",
    "texts",
    "words",
]
"""What a filter gives, for the checker: `item` and `items` are those of the value, `rows` lists of them, `texts` a list
of texts. `text` is sure to be text; `json` is text, or undefined for undefined. The others depend on the value in a way
of their own."""


class Filter(NamedTuple):
    """One filter: its name and function, and the names of the arguments after the value (None: any number).

    `takes`: when it raises for other values, or makes undefined of them, what it takes in words. `quick`: its time does
    not grow with the items of the value, so nobody looks at the clock after it. `needs_value`: when strict, it refuses
    undefined. `keeps_safe`: text that is marked as safe stays so. `shows_value`: a result that is true shows that there
    was a value. `varies`: it gives something else each time. `replaces_undefined`: it is made for undefined values.
    `elsewhere`: what other languages call it. `of_host`: a host brings it; then `kinds` are those of the value and of
    each argument, in words (none: any), and so many arguments are `required`.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[str, ...] | None
    gives: Gives = "any"
    takes: str = ""
    quick: bool = False
    needs_value: bool = False
    keeps_safe: bool = False
    shows_value: bool = False
    varies: bool = False
    replaces_undefined: bool = False
    elsewhere: tuple[str, ...] = ()
    of_host: bool = False
    kinds: tuple[tuple[str, ...], ...] = ()
    required: int = 0

    @property
    def keeping(self) -> Callable[..., Any]:
        """The function for templates that mark text as safe: it keeps the mark where Nunjucks keeps it."""
        return _keeping_safe(self.function) if self.keeps_safe else self.function


def _keeping_safe(function: Callable[..., Any]) -> Callable[..., Any]:
    def keep(value: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(value, *args, **kwargs)
        return SafeText(result) if isinstance(value, SafeText) and isinstance(result, str) else result

    return keep


RECORDS: Final[dict[str, Filter]] = {}
"""Every filter by its name, in the order of the code."""


Filters = tuple[Filter, ...]
"""The filters of a host."""


@lru_cache(maxsize=64)
def with_own(filters: Filters) -> Mapping[str, Filter]:
    """Every filter by its name, those of a host included."""
    return {**RECORDS, **{record.name: record for record in filters}} if filters else RECORDS


def filter_named(*names: str, **facts: Any) -> Callable[[F], F]:
    """Record the decorated function as the filter of these names; `facts` are the fields of `Filter` from `gives` on.

    Raises: TypeError for a fact that `Filter` does not know.
    """

    def recorded(function: F) -> F:
        code = function.__code__
        takes_any_number = bool(code.co_flags & 0x04)
        arguments = None if takes_any_number else code.co_varnames[1 : code.co_argcount]
        RECORDS.update({name: Filter(name, function, arguments, **facts) for name in names})
        return function

    return recorded
