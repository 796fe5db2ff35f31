"""What the generated functions call: printing, native results, missing values, the place of a failure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from flowdsl.errors import TemplateError
from flowdsl.template import operators, values
from flowdsl.template.limits import Meter, TemplateLimits, limit_error
from flowdsl.template.members import Method, member
from flowdsl.template.nodes import Node
from flowdsl.template.numbers import EXACT
from flowdsl.template.taint import SecretText, holds_secret, mark_member, spreading
from flowdsl.template.values import UNDEFINED, SafeText, output_text

if TYPE_CHECKING:
    from flowdsl.template.filters import Filter, Filters

Place = tuple[int, int]
_LEAST: Final = -EXACT

# So many texts are joined before their length is known; each is bounded itself.
UNMEASURED: Final = 64


FAILURES: Final = (TemplateError, RecursionError, MemoryError, OverflowError)
"""What ends a rendering with a TemplateError."""


def undefined(text: str, start: int, end: int) -> NoReturn:
    """Refuse what is undefined and stands from `start` to `end` in a template's text.

    Raises: TemplateError that names it.
    """
    shown = " ".join(text[start:end].split())
    raise TemplateError(
        f"`{shown}` is undefined",
        code="undefined-variable",
        hint=f"set it before, or write `{shown} | default('')`",
        start=start,
        end=end,
    )


def failure(error: BaseException, place: Place | None) -> TemplateError:
    """The TemplateError for one of `FAILURES`, with its place when it has none of its own."""
    trace = error.__traceback__
    if not isinstance(error, TemplateError):
        error = limit_error(f"{type(error).__name__} in it", "what fits into memory and its nesting")
    if error.start is None and place is not None:
        error.start, error.end = place
    return error.with_traceback(trace)


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
        """Raises: TemplateError that names what is undefined: the part of the template with the number `site`."""
        undefined(self.text, *self.spans[site])

    def fail(self) -> NoReturn:
        """Raises: TemplateError for the exception that the rendering has just caught, with its place."""
        error = sys.exception()
        assert error is not None  # noqa: S101  it is called by `except` alone
        trace = error.__traceback__
        raise failure(error, None if trace is None else self.lines.get(trace.tb_lineno)) from error.__cause__


def _strict_adder(add: Callable[[Any, Any], Any], undefined: Callable[[int], NoReturn]) -> Callable[..., Any]:
    def add_strict(a: Any, b: Any, left: int, right: int) -> Any:
        if a is UNDEFINED and left >= 0 and not operators.adds(b):
            undefined(left)
        if b is UNDEFINED and not operators.adds(a):
            undefined(right)
        return operators.finite(add(a, b), "+")

    return add_strict


def _text_of(escaping: bool) -> Callable[[Any], str]:
    if not escaping:
        return output_text
    from flowdsl.template.filters.markup import escape

    return escape


def _printer(places: Places, strict: bool, escaping: bool) -> Callable[[Any, int], str]:
    text = _text_of(escaping)

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


def native_value(value: Any) -> Any:
    """What a template that is one output gives outside: undefined is empty text, and nothing of ours remains."""
    if value is UNDEFINED:
        return ""
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


def _native(places: Places, strict: bool) -> Callable[[Any, int], Any]:
    def native(value: Any, site: int) -> Any:
        return places.undefined(site) if strict and value is UNDEFINED else native_value(value)

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


def _marked_items(value: Any) -> Any:
    items = operators.characters_or_items(value)
    return [SecretText(char) for char in items] if isinstance(items, SecretText) else items


def _marked_member(target: Any, key: Any) -> Any:
    return mark_member(member(target, key), target)


class Runtime:
    """What renderings of one kind call, whichever the template: strict or not, marking secrets, escaping, in limits.

    `wrap` is for every other function that is called: it keeps the marks of secrets.
    """

    def __init__(self, strict: bool, taint: bool, escaping: bool, limits: TemplateLimits, filters: Filters) -> None:
        self.strict = strict
        self.marking = taint
        self.escaping = escaping
        self.limits = limits
        self._filters = filters
        self.wrap: Callable[[Callable[..., Any]], Callable[..., Any]] = spreading if taint else _unchanged
        self.add = self.wrap(operators.add)
        self.call = self.wrap(operators.call)
        self.concat = self.wrap(operators.concat)
        self.texts = self.wrap(operators.texts)
        self.text: Callable[[Any], str] = self.wrap(_text_of(escaping))
        self.finish = _joiner(limits, taint)
        self.items = _marked_items if taint else operators.characters_or_items
        self.member = _marked_member if taint else member
        self.getter = _tainted_getter if taint else _getter
        self.root = _tainted_root if taint else _root
        self.placeholder = _tainted_placeholder if taint else _placeholder
        self.native = native_value

    @cached_property
    def filters(self) -> Mapping[str, Filter]:
        """Every filter by its name; their modules are imported by templates that use one."""
        from flowdsl.template.filters import with_own

        return with_own(self._filters)

    def printed(self, value: Any, place: Place) -> str:
        """The text of an output's value.

        Raises: TemplateError, placed, for a value that has no text.
        """
        if type(value) is int and _LEAST < value < EXACT:
            return repr(value)
        try:
            return self.text(value)
        except TemplateError as error:
            raise failure(error, place) from None


def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@lru_cache(maxsize=64)
def runtime(strict: bool, taint: bool, escaping: bool, limits: TemplateLimits, filters: Filters = ()) -> Runtime:
    """The runtime of a kind of rendering; `strict`, `taint`, `escaping` (`autoescape`), `filters` as for `compile`."""
    return Runtime(strict, taint, escaping, limits, filters)


def namespace(places: Places, kind: Runtime) -> dict[str, Any]:
    """The globals of a generated function."""
    show = kind.wrap(_printer(places, kind.strict, kind.escaping))
    return dict(
        _FIXED,
        LIMITS=kind.limits,
        LONGEST=kind.limits.max_output,
        add=kind.add,
        add_strict=_strict_adder(kind.add, places.undefined),
        call=kind.call,
        entries=operators.entries,
        fail=places.fail,
        finish=kind.finish,
        getter=kind.getter,
        items=kind.items,
        member=kind.member,
        native=_native(places, kind.strict),
        placeholder=kind.placeholder,
        root=kind.root,
        show=show,
        concat=kind.concat,
        texts=kind.texts,
        undefined=places.undefined,
        **({name: kind.wrap(_FIXED[name]) for name in _ARITHMETIC} if kind.marking else {}),
    )


_FINITE: Mapping[str, Any] = {
    "finite_divide": operators.finite_divide,
    "finite_multiply": operators.finite_multiply,
    "finite_negate": operators.finite_negate,
    "finite_number": operators.finite_number,
    "finite_power": operators.finite_power,
    "finite_remainder": operators.finite_remainder,
    "finite_subtract": operators.finite_subtract,
}
_ARITHMETIC = ("divide", "floored", "multiply", "negate", "power", "remainder", "subtract", "to_number", *_FINITE)
_FIXED: Mapping[str, Any] = {
    **_FINITE,
    "Failures": FAILURES,
    "LEAST": _LEAST,
    "Meter": Meter,
    "MOST": EXACT,
    "U": UNDEFINED,
    "compare": values.compare,
    "contains": operators.contains,
    "divide": operators.divide,
    "floored": operators.floored,
    "join": "".join,
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
