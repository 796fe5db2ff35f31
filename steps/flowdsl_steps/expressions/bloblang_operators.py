"""What the operators of Bloblang do, over parts that are built."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl_steps.expressions.bloblang_values import (
    DELETED,
    NOTHING,
    TEXTS,
    Failed,
    as_bytes,
    equal,
    kind,
    mismatch,
    sized,
)

if TYPE_CHECKING:
    from flowdsl_steps.expressions.bloblang_nodes import Query
    from flowdsl_steps.expressions.bloblang_scope import Scope

Run = Callable[["Scope"], Any]
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _no_value(value: Any) -> bool:
    return value is None or value is DELETED or value is NOTHING


def _truth(value: Any, origin: str) -> bool:
    """A bool, or a number, which is true unless it is 0."""
    if kind(value) not in ("bool", "number"):
        raise mismatch("bool", value, origin)
    return bool(value)


def logic(sign: str, left: Query, right: Query) -> Run:
    """`&&` or `||`; the right side is looked at only where it decides."""
    decides = sign == "||"

    def run(scope: Scope) -> bool:
        first = _truth(left.run(scope), left.origin)
        return first if first is decides else _truth(right.run(scope), right.origin)

    return run


def compared(sign: str, left: Query, right: Query) -> Run:
    """A comparison: of values of different types only for equality."""

    def run(scope: Scope) -> bool:
        first, second = left.run(scope), right.run(scope)
        scope.tick()
        if sign in ("==", "!="):
            return equal(first, second) is (sign == "==")
        if kind(first) == kind(second) == "number":
            return bool(_ORDER[sign](first, second))
        if kind(first) in TEXTS and kind(second) in TEXTS:
            return bool(_ORDER[sign](as_bytes(first), as_bytes(second)))
        raise _unlike("compare", left, first, right, second)

    return run


def added(left: Query, right: Query) -> Run:
    """`+`."""

    def run(scope: Scope) -> Any:
        first, second = left.run(scope), right.run(scope)
        scope.tick()
        if kind(first) == kind(second) == "number":
            return first + second
        if isinstance(first, str) and isinstance(second, str):
            return sized(first + second)
        if kind(first) in TEXTS and kind(second) in TEXTS:
            return sized(as_bytes(first) + as_bytes(second)).decode("utf-8", "replace")
        raise _unlike("add", left, first, right, second)

    return run


def _unlike(verb: str, left: Query, first: Any, right: Query, second: Any) -> Failed:
    sides = f"{kind(first)} (from {left.origin}) and {kind(second)} (from {right.origin})"
    return Failed(f"cannot {verb} types {sides}")


def either(left: Query, right: Query) -> Run:
    """`|`."""
    return rescued(left, right, on_null=True, as_error=False)


def rescued(target: Query, other: Query, *, on_null: bool, as_error: bool = True) -> Run:
    """The other query where the target fails, and with `on_null` where it has no value. `as_error` makes the failure
    the other one's `this`."""

    def run(scope: Scope) -> Any:
        try:
            value = target.run(scope)
        except Failed as error:
            return other.run(scope.of_error(str(error)) if as_error and not on_null else scope)
        return other.run(scope) if on_null and _no_value(value) else value

    return run


def negated(query: Query) -> Run:
    """`!`."""

    def run(scope: Scope) -> bool:
        value = query.run(scope)
        if not isinstance(value, bool):
            raise mismatch("bool", value, query.origin)
        return not value

    return run


def negative(query: Query) -> Run:
    """`-` before a number."""

    def run(scope: Scope) -> Any:
        value = None if scope is None and not query.is_literal else query.run(scope)
        if kind(value) != "number":
            raise mismatch("number", value, query.origin)
        return -value

    return run


def conditional(choices: Sequence[tuple[Query, Query]], otherwise: Query | None) -> Run:
    """The first choice whose condition holds; null is false."""

    def run(scope: Scope) -> Any:
        for condition, query in choices:
            value = condition.run(scope)
            if value is not None and not isinstance(value, bool):
                raise mismatch("bool", value, condition.origin)
            if value:
                return query.run(scope)
        return NOTHING if otherwise is None else otherwise.run(scope)

    return run
