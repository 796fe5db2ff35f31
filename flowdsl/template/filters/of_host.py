"""Filters of a host: its functions as records like those of our own filters.

What a function is annotated with is what it takes and gives: the checker reads it, and each call sees to it.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

from flowdsl.errors import RunError, TemplateError, UsageError
from flowdsl.template.filters.record import RECORDS, Filter, Filters, Gives
from flowdsl.template.operators import host_failure
from flowdsl.template.values import UNDEFINED, is_number, to_text
from flowdsl.values import copied

_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_RESERVED: Final = frozenset(("true", "false", "none", "null", "and", "or", "not", "in", "is", "if", "else"))
_WORDS: Final[Mapping[Any, str]] = {
    str: "a text",
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    list: "a list",
    tuple: "a list",
    dict: "a map",
    type(None): "null",
}
"""What an annotation means; one that is not here, or is missing, allows every value."""
_GIVES: Final[Mapping[tuple[str, ...], Gives]] = {
    ("a text",): "text",
    ("a boolean",): "boolean",
    ("a whole number",): "integer",
    ("a number",): "number",
    ("a list",): "list",
    ("a map",): "map",
}
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def host_filters(functions: Mapping[str, Callable[..., Any]]) -> Filters:
    """The records of a host's filters.

    Raises:
        UsageError: a name that no filter can have, or that one has already; what is no function, or does not take a
            value first.
    """
    return tuple(_filter(name, function) for name, function in functions.items())


def _filter(name: str, function: Callable[..., Any]) -> Filter:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(f"filters[{name!r}]: a filter is named by letters, digits and `_`, such as `slug`")
    if name in RECORDS:
        raise UsageError(f"filters[{name!r}]: there is a filter of this name already, and flows rely on what it does")
    if not callable(function):
        raise UsageError(f"filters[{name!r}] takes a function, not {type(function).__name__}")
    parameters, gives = _signature(name, function)
    result = _GIVES.get(gives, "any")
    if parameters is None:
        return Filter(name, _Checked(name, function, {}, gives, True), None, result, needs_value=True, of_host=True)
    value, *more = parameters
    kinds = tuple(_kinds(each.annotation) for each in parameters)
    needs_value = value.annotation is inspect.Parameter.empty or bool(kinds[0] and "null" not in kinds[0])
    takes = {each.name: wanted for each, wanted in zip(parameters, kinds, strict=True)}
    return Filter(
        name,
        _Checked(name, function, takes, gives, needs_value),
        tuple(each.name for each in more),
        result,
        needs_value=needs_value,
        of_host=True,
        kinds=kinds,
        required=sum(each.default is inspect.Parameter.empty for each in more),
    )


def _signature(name: str, function: Callable[..., Any]) -> tuple[list[inspect.Parameter] | None, tuple[str, ...]]:
    """The parameters that a template can fill, the value first (None: any number), and the kinds of the result."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some of Python's own functions have none
        return None, ()
    hints = _hints(function)
    gives = _kinds(hints.get("return", signature.return_annotation))
    found = []
    for each in signature.parameters.values():
        if each.kind is inspect.Parameter.VAR_POSITIONAL:
            return None, gives
        if each.kind in _POSITIONAL:
            found.append(each.replace(annotation=hints.get(each.name, each.annotation)))
        elif each.kind is inspect.Parameter.KEYWORD_ONLY and each.default is inspect.Parameter.empty:
            raise UsageError(f"filters[{name!r}]: `{each.name}` takes its value by name alone, and must have a default")
    if not found:
        raise UsageError(f"filters[{name!r}]: its function takes no value: the first argument is what is filtered")
    return found, gives


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function; without those that cannot be resolved here."""
    target = function if hasattr(function, "__annotations__") else type(function).__call__
    try:
        return typing.get_type_hints(target)
    except (AttributeError, NameError, SyntaxError, TypeError):  # of names that exist for type checkers alone
        return {}


def _kinds(annotation: Any) -> tuple[str, ...]:
    """The kinds of value of an annotation, in words; none for one that allows everything."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        parts = [_kinds(part) for part in typing.get_args(annotation)]
        return tuple(dict.fromkeys(word for part in parts for word in part)) if all(parts) else ()
    word = _WORDS.get(origin or annotation) if isinstance(origin or annotation, type) else None
    return () if word is None and annotation is not None else (word or "null",)


class _Checked:
    """Calls the function of a host with what it is annotated to take, and sees that it gives what it says."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        takes: dict[str, tuple[str, ...]],
        gives: tuple[str, ...],
        needs_value: bool,
    ) -> None:
        self._name = name
        self._function = function
        self._takes = takes
        self._places = tuple(takes.values())
        self._gives = gives
        self._needs_value = needs_value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Checked) and self._name == other._name and self._function is other._function

    def __hash__(self) -> int:
        return hash((self._name, id(self._function)))

    def __call__(self, *args: Any, **named: Any) -> Any:
        """What the function gives; undefined for undefined, which comes here only where it is harmless.

        Raises: TemplateError when it fails, is given what it does not take, or gives what it does not say.
        """
        if args[0] is UNDEFINED and self._needs_value:
            return UNDEFINED
        given = [self._taken(value, kinds) for value, kinds in zip(args, self._places, strict=False)]
        given += [None if value is UNDEFINED else value for value in args[len(given) :]]
        named = {name: self._taken(value, self._takes.get(name, ())) for name, value in named.items()}
        try:
            result = self._function(*given, **named)
        except (RunError, SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # nobody can cancel or close a plain function
            raise host_failure(f"the filter `{self._name}`", error) from error
        if self._gives and not any(_FITS[kind](result) for kind in self._gives):
            said = f"the filter `{self._name}` gives a {type(result).__name__}, and says that it gives"
            raise TemplateError(f"{said} {' or '.join(self._gives)}", hint="it is a function of the host")
        try:
            return copied(result)
        except UsageError as error:
            raise TemplateError(f"the filter `{self._name}` gives what cannot be used: {error}") from None

    def _taken(self, value: Any, kinds: tuple[str, ...]) -> Any:
        if not kinds:
            return None if value is UNDEFINED else value
        if value is UNDEFINED and "null" in kinds:
            return None
        if not any(_FITS[kind](value) for kind in kinds):
            raise TemplateError(f"the filter `{self._name}` takes {' or '.join(kinds)}, not {_shown(value)}")
        if isinstance(value, float) and "a whole number" in kinds and "a number" not in kinds:
            return int(value)
        return value


_FITS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "a text": lambda value: isinstance(value, str),
    "a boolean": lambda value: isinstance(value, bool),
    "a whole number": lambda value: is_number(value) and value == value // 1,
    "a number": is_number,
    "a list": lambda value: isinstance(value, (list, tuple)),
    "a map": lambda value: isinstance(value, Mapping),
    "null": lambda value: value is None,
}


def _shown(value: Any) -> str:
    if value is UNDEFINED or value is None or is_number(value) or isinstance(value, bool):
        return to_text(value)
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, (list, tuple)) else "a map" if isinstance(value, Mapping) else "this value"
