"""What the generated functions call: printing, native results, missing values, the place of a failure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from flowdsl.errors import TemplateError
from flowdsl.template import operators, values
from flowdsl.template.limits import Meter, TemplateLimits, limit_error
from flowdsl.template.members import Method, member
from flowdsl.template.nodes import Node
from flowdsl.template.numbers import EXACT
from flowdsl.template.taint import SecretText, holds_secret, mark_member, spreading
from flowdsl.template.values import UNDEFINED, SafeText, output_text

Place = tuple[int, int]
_LEAST: Final = -EXACT

# So many texts are joined before their length is known; each is bounded itself.
UNMEASURED: Final = 64


class Places:
    """Where the parts of one generated function come from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans: list[Place] = []
        self.lines: dict[int, Place] = {}

    def site(self, node: Node) -> int:
        """A number for a node, for `undefined`."""
        self.spans.append((node.start, node.end))
        return len(self.spans) - 1

    def undefined(self, site: int) -> NoReturn:
        """Raises: TemplateError that names what is undefined."""
        start, end = self.spans[site]
        shown = " ".join(self.text[start:end].split())
        raise TemplateError(
            f"`{shown}` is undefined",
            code="undefined-variable",
            hint=f"set it before, or write `{shown} | default(…)`",
            start=start,
            end=end,
        )

    def fail(self) -> NoReturn:
        """Raises: TemplateError for the exception that the rendering has just caught, with its place."""
        error = sys.exception()
        assert error is not None  # noqa: S101  it is called by `except` alone
        trace = error.__traceback__
        if not isinstance(error, TemplateError):
            error = limit_error(f"{type(error).__name__} in it", "what fits into memory and its nesting")
        if error.start is None and trace is not None:
            error.start, error.end = self.lines.get(trace.tb_lineno, (None, None))
        raise error.with_traceback(trace) from None


def _strict_adder(add: Callable[[Any, Any], Any], undefined: Callable[[int], NoReturn]) -> Callable[..., Any]:
    def add_strict(a: Any, b: Any, left: int, right: int) -> Any:
        if a is UNDEFINED and left >= 0 and not operators.adds(b):
            undefined(left)
        if b is UNDEFINED and not operators.adds(a):
            undefined(right)
        return add(a, b)

    return add_strict


def _printer(places: Places, strict: bool, escaping: bool) -> Callable[[Any, int], str]:
    if escaping:
        from flowdsl.template.filters.markup import escape

        text: Callable[[Any], str] = escape
    else:
        text = output_text

    def show(value: Any, site: int) -> str:
        kind = type(value)
        if kind is str and not escaping:
            return value  # type: ignore[no-any-return]  # mypy does not follow `kind`
        if kind is int and _LEAST < value < EXACT:
            return repr(value)
        if strict and value is UNDEFINED:
            places.undefined(site)
        try:
            return text(value)
        except TemplateError as error:
            if error.start is None:
                error.start, error.end = places.spans[site]
            raise

    return show


def _speller(show: Callable[[Any, int], str]) -> Callable[[Any, int], str]:
    def spell(value: Any, site: int) -> str:
        """The text of what is probably a number."""
        return repr(value) if type(value) is int and _LEAST < value < EXACT else show(value, site)

    return spell


def _native(places: Places, strict: bool) -> Callable[[Any, int], Any]:
    def native(value: Any, site: int) -> Any:
        if value is UNDEFINED:
            return places.undefined(site) if strict else ""
        if isinstance(value, SafeText):
            return str.__str__(value)
        if type(value) is float and value == 0 and str(value)[0] == "-":
            return 0  # JavaScript's negative zero is no use outside
        if isinstance(value, Method):
            return output_text(value)
        if type(value) is list and any(item is UNDEFINED for item in value):
            return [None if item is UNDEFINED else item for item in value]
        if type(value) is dict and any(item is UNDEFINED for item in value.values()):
            return {key: item for key, item in value.items() if item is not UNDEFINED}
        return value

    return native


def _getter(target: Any) -> Callable[[Any, Any], Any]:
    if type(target) is dict:
        return target.get

    def get(key: Any, _missing: Any) -> Any:
        return member(target, key)

    return get


def _tainted_getter(target: Any) -> Callable[[Any, Any], Any]:
    if type(target) is dict:
        return target.get

    def get(key: Any, _missing: Any) -> Any:
        return mark_member(member(target, key), target)

    return get


def _root_of(getter: Callable[[Any], Callable[[Any, Any], Any]]) -> Callable[..., Callable[[Any, Any], Any]]:
    def root(context: Mapping[str, Any], names: Mapping[str, Any]) -> Callable[[Any, Any], Any]:
        target = names.get("flowContext", context)
        return target.get if type(target) is dict else getter(target)

    return root


_root, _tainted_root = _root_of(_getter), _root_of(_tainted_getter)


def _placeholder(names: Mapping[str, Any], key: str) -> str:
    value = names.get(key, UNDEFINED)
    return key if value is UNDEFINED else output_text(value)


def _tainted_placeholder(names: Mapping[str, Any], key: str) -> str:
    text = _placeholder(names, key)
    return SecretText(text) if holds_secret(names.get(key)) else text


def _joiner(limits: TemplateLimits, taint: bool) -> Callable[[Any], str]:
    most = limits.max_output

    def finish(parts: Any) -> str:
        if len(parts) > UNMEASURED and sum(map(len, parts)) > most:
            raise limit_error("too much text", f"{most:,} characters")
        text = "".join(parts)
        if len(text) > most:
            raise limit_error("too much text", f"{most:,} characters")
        return SecretText(text) if taint and any(isinstance(part, SecretText) for part in parts) else text

    return finish


def _mixer(limits: TemplateLimits, show: Callable[[Any, int], str]) -> Callable[[tuple[Any, ...]], str]:
    join, most = "".join, limits.max_output

    def mixed(parts: tuple[Any, ...]) -> str:
        try:
            text = join(parts)
        except TypeError:  # most parts are texts; the site of another is its index
            text = join([show(part, site) for site, part in enumerate(parts)])
        if len(text) > most:
            raise limit_error("too much text", f"{most:,} characters")
        return text

    return mixed


def _marked_items(value: Any) -> Any:
    items = operators.characters_or_items(value)
    return [SecretText(char) for char in items] if isinstance(items, SecretText) else items


def namespace(
    places: Places, *, strict: bool, taint: bool, escaping: bool, limits: TemplateLimits
) -> tuple[dict[str, Any], Callable[[Callable[..., Any]], Callable[..., Any]]]:
    """The globals of a generated function, and what wraps every other function it calls."""

    def unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    wrap = spreading if taint else unchanged
    add = wrap(operators.add)
    finish = _joiner(limits, taint)
    show = wrap(_printer(places, strict, escaping))
    getter = _tainted_getter if taint else _getter
    found = dict(_FIXED)
    found.update(
        LIMITS=limits,
        add=add,
        add_strict=_strict_adder(add, places.undefined),
        call=wrap(operators.call),
        entries=operators.entries,
        fail=places.fail,
        finish=finish,
        getter=getter,
        items=_marked_items if taint else operators.characters_or_items,
        member=(lambda target, key: mark_member(member(target, key), target)) if taint else member,
        mixed=_mixer(limits, show),
        native=_native(places, strict),
        placeholder=_tainted_placeholder if taint else _placeholder,
        root=_tainted_root if taint else _root,
        show=show,
        spell=_speller(show),
        concat=wrap(operators.concat),
        texts=wrap(operators.texts),
        undefined=places.undefined,
    )
    return found, wrap


_FIXED: Mapping[str, Any] = {
    "Failures": (TemplateError, RecursionError, MemoryError, OverflowError),
    "Meter": Meter,
    "U": UNDEFINED,
    "compare": values.compare,
    "contains": operators.contains,
    "divide": operators.divide,
    "floored": operators.floored,
    "loose_eq": values.loose_eq,
    "multiply": operators.multiply,
    "negate": operators.negate,
    "power": operators.power,
    "remainder": operators.remainder,
    "strict_eq": values.strict_eq,
    "subtract": operators.subtract,
    "to_number": values.to_number,
    "truthy": values.truthy,
}
