"""The values of expressions, found by walking their trees; `interpreter` walks the tags around them.

What a construct means stands here and, as text of Python, in `expressions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flowdsl.template import operators
from flowdsl.template.builtins import BUILTINS
from flowdsl.template.filters import marks_safe
from flowdsl.template.limits import Meter
from flowdsl.template.members import Method
from flowdsl.template.nodes import (
    Arguments,
    Binary,
    Call,
    Chain,
    Choice,
    DictOf,
    Filtered,
    ListOf,
    Literal,
    Member,
    Name,
    Node,
    Tested,
    Unary,
)
from flowdsl.template.runtime import Runtime, undefined
from flowdsl.template.scope import loop_parts
from flowdsl.template.tests import TESTS
from flowdsl.template.values import UNDEFINED, compare, loose_eq, strict_eq, to_number, truthy


class Level:
    """The names of a template or loop: `own` are a loop's, `set` were set by tags; `loop` is its index and length."""

    __slots__ = ("loop", "own", "set")

    def __init__(self, loop: tuple[int, int] | None) -> None:
        self.own: dict[str, Any] = {}
        self.set: dict[str, Any] = {}
        self.loop = loop


class Evaluation:
    """The expressions of one rendering.

    `text` is the template's, `at` the place of a failure, `called` whether a function of the host was called; `lax`
    counts the conditions around, `lenient` the fallbacks around, `hidden` holds what the template's tags set.
    """

    __slots__ = (
        "at",
        "called",
        "context",
        "hidden",
        "lax",
        "lenient",
        "levels",
        "meter",
        "names",
        "runtime",
        "strict",
        "text",
    )

    def __init__(self, text: str, runtime: Runtime, context: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        self.text = text
        self.runtime = runtime
        self.strict = runtime.strict
        self.context = context
        self.names = names
        self.at = (0, len(text))
        self.called = False
        self.hidden: dict[str, Any] = {}
        self.lax = self.lenient = 0
        self.levels: list[Level] = []
        self.meter = Meter()

    def undefined(self, node: Node) -> None:
        """Raises: TemplateError that names what is undefined."""
        undefined(self.text, node.start, node.end)

    def read(self, name: str) -> Any:
        """The value of a name; see `scope` for the rules."""
        for level in reversed(self.levels):
            if name in level.own:
                return level.own[name]
            if name == "loop" and level.loop is not None:
                return loop_parts(*level.loop)
            found = level.set.get(name, UNDEFINED)
            if found is not UNDEFINED:
                return found
        return self.hidden[name] if name in self.hidden else free(name, self.context, self.names)

    def level(self) -> Level:
        """The innermost level; the template's own is made when something is set or walked."""
        if not self.levels:
            self.levels.append(Level(None))
        return self.levels[-1]

    def write(self, name: str, value: Any) -> None:
        """Set a name; see `scope` for the rules."""
        current = self.level()
        if len(self.levels) == 1:
            # the template's own level also hides the FlowContext's value, even by undefined
            self.hidden[name] = value
        elif name in current.own:
            current.own[name] = value
            return
        elif current.set.get(name, UNDEFINED) is UNDEFINED:
            for level in self.levels[-2::-1]:
                place = level.own if name in level.own else level.set
                if place.get(name, UNDEFINED) is not UNDEFINED:
                    place[name] = value
                    return
                if place is level.own:
                    break
        current.set[name] = value

    def value(self, node: Node) -> Any:
        """The value of an expression."""
        return _EXPRESSIONS[type(node)](self, node)

    def condition(self, node: Node) -> bool:
        """The truth of an expression; nothing in it is too undefined."""
        self.lax += 1
        found = truthy(self.value(node))
        self.lax -= 1
        return found

    def sure(self, node: Node, needed: bool = True) -> Any:
        """The value of an operand that must not be undefined when strict and `needed`."""
        value = self.value(node)
        if value is UNDEFINED and needed and self.strict and not self.lax:
            self.undefined(node)
        return value

    def literal(self, node: Literal) -> Any:
        """A constant."""
        return node.value

    def name(self, node: Name) -> Any:
        """A name."""
        return self.read(node.name) if self.levels else free(node.name, self.context, self.names)

    def member(self, node: Member) -> Any:
        """A member."""
        key = node.key.value if type(node.key) is Literal else None
        if type(node.target) is Name and node.target.name == "loop" and type(node.key) is Literal:
            loop = next((level.loop for level in reversed(self.levels) if level.loop is not None), None)
            if loop is not None:
                return loop_parts(*loop).get(key, UNDEFINED) if isinstance(key, str) else UNDEFINED
        target = self.value(node.target)
        if type(node.key) is not Literal:
            key = self.value(node.key)
        return self.runtime.member(target, key)

    def call(self, node: Call) -> Any:
        """A call."""
        target = node.target
        shown = " ".join(self.text[target.start : target.end].split())
        function = self.value(target)
        self.called = self.called or not isinstance(function, Method)
        values, named = self.arguments(node.arguments, None)
        return self.meter.timed(self.runtime.limits, self.runtime.call(function, shown, *values, **named))

    def arguments(self, arguments: Arguments, names: tuple[str, ...] | None) -> tuple[list[Any], dict[str, Any]]:
        """Arguments; a filter's surplus ones are dropped, as JavaScript does."""
        nodes = arguments.values if names is None else arguments.values[: len(names)]
        values = [self.value(node) for node in nodes]
        known = None if names is None else names[len(values) :]
        named = {one.name: self.value(one.value) for one in arguments.named if known is None or one.name in known}
        return values, named

    def filtered(self, node: Filtered) -> Any:
        """A filter."""
        record = self.runtime.filters[node.name]
        if record.replaces_undefined:
            return self.default(node, record.arguments)
        target = self.sure(node.target, record.needs_value and not self.lenient)
        values, named = self.arguments(node.arguments, record.arguments)
        if record.of_host:
            self.called = True
        keeping = record.keeps_safe and marks_safe(self.text)
        function = self.runtime.wrap(record.keeping if keeping else record.function)
        result = function(target, *values, **named)
        return result if record.quick else self.meter.timed(self.runtime.limits, result)

    def default(self, node: Filtered, names: tuple[str, ...] | None) -> Any:
        """The filter `default`: a fallback that stands alone is computed when it is needed."""
        self.lenient += 1
        target = self.value(node.target)
        self.lenient -= 1
        if len(node.arguments.values) > 1 or node.arguments.named:
            values, named = self.arguments(node.arguments, names)
            return self.runtime.filters[node.name].function(target, *values, **named)
        if target is not UNDEFINED:
            return target
        return self.value(node.arguments.values[0]) if node.arguments.values else UNDEFINED

    def tested(self, node: Tested) -> bool:
        """A test."""
        target = self.value(node.target)
        return TESTS[node.name](target, *[self.value(value) for value in node.arguments.values])

    def unary(self, node: Unary) -> Any:
        """`not`, signs, and the floor of `//`."""
        if node.operator == "not":
            return not self.condition(node.operand)
        signs = _STRICT_SIGNS if self.strict and not self.lax else _SIGNS
        return self.marking(signs[node.operator])(self.value(node.operand))

    def binary(self, node: Binary) -> Any:
        """Arithmetic, comparisons, `in`."""
        functions = _STRICT_OPERATORS if self.strict and not self.lax else _OPERATORS
        return self.marking(functions[node.operator])(self.value(node.left), self.value(node.right))

    def marking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function of an operator; its result keeps the marks of secrets where they are followed."""
        return self.runtime.wrap(function) if self.runtime.marking else function

    def chain(self, node: Chain) -> Any:
        """`and`, `or`, or `+ - ~` from left to right."""
        signs, operands, runtime = node.operators, node.operands, self.runtime
        if signs[0] in ("and", "or"):
            return self.logic(operands, signs[0] == "or")
        if all(sign == "~" for sign in signs):
            return (runtime.concat if len(operands) == 2 else runtime.texts)(*[self.sure(part) for part in operands])
        found = self.sure(operands[0], signs[0] == "~")
        for index, sign in enumerate(signs):
            right = operands[index + 1]
            if sign == "~":
                found = runtime.texts(found, self.sure(right))
            elif sign == "-":
                subtract = operators.finite_subtract if self.strict and not self.lax else operators.subtract
                found = self.marking(subtract)(found, self.value(right))
            else:
                found = self.plus(found, right, None if index else operands[0])
        return found

    def plus(self, left: Any, right: Node, first: Node | None) -> Any:
        """`left + right`; joining undefined to text is an error when strict."""
        value = self.value(right)
        if self.strict and not self.lax:
            if left is UNDEFINED and first is not None and not operators.adds(value):
                self.undefined(first)
            if value is UNDEFINED and not operators.adds(left):
                self.undefined(right)
            return operators.finite(self.runtime.add(left, value), "+")
        return self.runtime.add(left, value)

    def logic(self, operands: Sequence[Node], is_or: bool) -> Any:
        """`and`, or with `is_or` `or`: the value of the operand that decides."""
        for operand in operands[:-1]:
            value = self.value(operand)
            if truthy(value) is is_or:
                return value
        return self.value(operands[-1])

    def choice(self, node: Choice) -> Any:
        """The inline if."""
        if self.condition(node.condition):
            return self.value(node.value)
        return "" if node.other is None else self.value(node.other)

    def list_of(self, node: ListOf) -> list[Any]:
        """A list."""
        return [self.value(item) for item in node.items]

    def dict_of(self, node: DictOf) -> dict[str, Any]:
        """A mapping."""
        return {pair.name: self.value(pair.value) for pair in node.pairs}


def free(name: str, context: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """The value of a name that the template does not set."""
    if name in names:
        return names[name]
    return context if name == "flowContext" else context.get(name, BUILTINS.get(name, UNDEFINED))


_SIGNS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "-": operators.negate,
    "+": to_number,
    "floor": operators.floored,
}
_OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "*": operators.multiply,
    "/": operators.divide,
    "%": operators.remainder,
    "**": operators.power,
    "<": lambda a, b: compare(a, b, "<"),
    ">": lambda a, b: compare(a, b, ">"),
    "<=": lambda a, b: compare(a, b, "<="),
    ">=": lambda a, b: compare(a, b, ">="),
    "==": loose_eq,
    "!=": lambda a, b: not loose_eq(a, b),
    "===": strict_eq,
    "!==": lambda a, b: not strict_eq(a, b),
    "in": operators.contains,
}
_STRICT_SIGNS: Final = {**_SIGNS, "-": operators.finite_negate, "+": operators.finite_number}
_STRICT_OPERATORS: Final = {
    **_OPERATORS,
    "*": operators.finite_multiply,
    "/": operators.finite_divide,
    "%": operators.finite_remainder,
    "**": operators.finite_power,
}
_EXPRESSIONS: Final[Mapping[type[Node], Callable[[Evaluation, Any], Any]]] = {
    Binary: Evaluation.binary,
    Call: Evaluation.call,
    Chain: Evaluation.chain,
    Choice: Evaluation.choice,
    DictOf: Evaluation.dict_of,
    Filtered: Evaluation.filtered,
    ListOf: Evaluation.list_of,
    Literal: Evaluation.literal,
    Member: Evaluation.member,
    Name: Evaluation.name,
    Tested: Evaluation.tested,
    Unary: Evaluation.unary,
}
