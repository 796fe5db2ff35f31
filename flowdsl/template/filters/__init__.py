"""The filters of templates, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from flowdsl.template.filters import lists, markup, order, scalars, text
from flowdsl.template.values import SafeText


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CHEAP: Final = _names(
    "abs capitalize d default e endsWith escape first float int isNull isNumber isObject isString last length lower "
    "round safe startsWith string title toFloat toInt trim truncate upper"
)
NEEDS_VALUE: Final = _names(
    "capitalize center e escape forceescape indent join lower nl2br padStart replace safe string striptags title trim "
    "truncate upper urlencode urlize"
)
GIVES_TEXT: Final = _names("capitalize lower title trim upper")
KEEPS_SAFE: Final = _names("capitalize center indent nl2br replace reverse string striptags title trim truncate")


class Filter(NamedTuple):
    """A filter: its function, and the names of the arguments after the value (None: any number).

    `keeping` is the function for templates that mark text as safe: it keeps the mark where Nunjucks keeps it.
    """

    name: str
    function: Callable[..., Any]
    keeping: Callable[..., Any]
    arguments: tuple[str, ...] | None


def keeping_safe(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, giving safe text for safe text."""

    def keep(value: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(value, *args, **kwargs)
        return SafeText(result) if isinstance(value, SafeText) and isinstance(result, str) else result

    return keep


def _filter(name: str, function: Callable[..., Any]) -> Filter:
    code = function.__code__
    rest = bool(code.co_flags & 0x04)
    names = None if rest else code.co_varnames[1 : code.co_argcount]
    return Filter(name, function, keeping_safe(function) if name in KEEPS_SAFE else function, names)


FILTERS: Final[Mapping[str, Filter]] = {
    name: _filter(name, function)
    for module in (lists, markup, order, scalars, text)
    for name, function in module.FILTERS.items()
}
