"""Rendering by walking the tree of a template: nothing is made ahead, so the first rendering comes soon.

`compiler` says when a template is rendered like this. What a construct means stands here and, once more and as text of
Python, in `expressions` and `compiler`; the tests run every template both ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flowdsl.template import operators
from flowdsl.template.builtins import BUILTINS
from flowdsl.template.filters import FILTERS
from flowdsl.template.limits import Meter
from flowdsl.template.members import Method
from flowdsl.template.nodes import (
    Arguments,
    Binary,
    Body,
    Call,
    Chain,
    Choice,
    DictOf,
    FilterBlock,
    Filtered,
    For,
    If,
    ListOf,
    Literal,
    Member,
    Name,
    Node,
    Output,
    Set,
    Statement,
    Switch,
    Tested,
    Text,
    Unary,
)
from flowdsl.template.runtime import FAILURES, Runtime, failure, undefined
from flowdsl.template.scope import loop_parts
from flowdsl.template.tests import TESTS
from flowdsl.template.values import UNDEFINED, compare, loose_eq, strict_eq, to_number, truthy

# After so many passes of its loops a rendering is worth a function.
LONG: Final = 64
_MARKS_SAFE: Final = re.compile(r"\|\s*(?:e\b|escape|forceescape|safe)|filter\s+(?:e\b|escape|forceescape|safe)")


class Worthwhile(Exception):
    """Ends a rendering whose loops go on for long, before anything outside could notice that it began."""


class Program:
    """What the renderings of one template share; `placeholder` finds the `{name}` in literal text."""

    __slots__ = ("body", "native", "placeholder", "runtime", "text")

    def __init__(
        self, text: str, body: Body, native: bool, placeholder: re.Pattern[str] | None, runtime: Runtime
    ) -> None:
        self.text = text
        self.body = body
        self.native = native
        self.placeholder = placeholder
        self.runtime = runtime

    def render(self, context: Mapping[str, Any], names: Mapping[str, Any], patient: bool = False) -> Any:
        """The text of the template, or its value when it is native.

        Raises: TemplateError; Worthwhile unless `patient`.
        """
        rendering = _Rendering(self, context, names, patient)
        try:
            return rendering.native() if self.native else rendering.whole()
        except FAILURES as error:
            raise failure(error, rendering.at) from None


class _Level:
    """The names of a template or loop: `own` are a loop's, `set` were set by tags; `loop` is its index and length."""

    __slots__ = ("loop", "own", "set")

    def __init__(self, loop: tuple[int, int] | None) -> None:
        self.own: dict[str, Any] = {}
        self.set: dict[str, Any] = {}
        self.loop = loop


class _Rendering:
    """One rendering; `at` is the place of a failure, `lax` counts conditions around, `lenient` fallbacks around."""

    __slots__ = (
        "at",
        "called",
        "context",
        "counted",
        "hidden",
        "lax",
        "lenient",
        "levels",
        "loops",
        "meter",
        "names",
        "patient",
        "program",
        "runtime",
        "strict",
    )

    def __init__(self, program: Program, context: Mapping[str, Any], names: Mapping[str, Any], patient: bool) -> None:
        self.program = program
        self.runtime = program.runtime
        self.strict = program.runtime.strict
        self.context = context
        self.names = names
        self.patient = patient
        self.at = (0, len(program.text))
        self.called = False
        self.counted: int | None = 0
        self.hidden: dict[str, Any] = {}
        self.lax = self.lenient = self.loops = 0
        self.levels: list[_Level] = []
        self.meter = Meter()

    def whole(self) -> str:
        """The text."""
        out: list[str] = []
        self.body(self.program.body, out)
        return self.runtime.finish(out)

    def native(self) -> Any:
        """The value of the one output."""
        node = next(s.expression for s in self.program.body if type(s) is Output)
        self.at = (node.start, node.end)
        value = self.value(node)
        if value is UNDEFINED and self.strict:
            self.undefined(node)
        return value if type(value) is str else self.runtime.native(value)

    def undefined(self, node: Node) -> None:
        """Raises: TemplateError that names what is undefined."""
        undefined(self.program.text, node.start, node.end)

    # Statements

    def body(self, body: Body, out: list[str]) -> None:
        """Append the texts of statements."""
        for statement in body:
            kind = type(statement)
            if kind is Output:
                out.append(self.printed(statement.expression))  # type: ignore[attr-defined]  # mypy does not follow `kind`
            elif kind is Text:
                self.literal_text(statement.text, out)  # type: ignore[attr-defined]  # mypy does not follow `kind`
            else:
                _STATEMENTS[kind](self, statement, out)

    def literal_text(self, text: str, out: list[str]) -> None:
        """Append literal text with its placeholders."""
        at, placeholder = 0, self.program.placeholder
        if placeholder is not None:
            for found in placeholder.finditer(text):
                out += (text[at : found.start()], self.runtime.placeholder(self.names, found[0]))
                at = found.end()
        out.append(text[at:])

    def printed(self, node: Node) -> str:
        """The text of an output."""
        self.at = (node.start, node.end)
        value = self.value(node)
        if type(value) is str and not self.runtime.escaping:
            return value
        if value is UNDEFINED and self.strict:
            self.undefined(node)
        return self.runtime.text(value)

    def branches(self, statement: If, out: list[str]) -> None:
        """The first branch whose condition is true."""
        for condition, inner in statement.branches:
            if condition is not None:
                self.at = (condition.start, condition.end)
            if condition is None or self.condition(condition):
                self.body(inner, out)
                return

    def loop(self, statement: For, out: list[str]) -> None:
        """The body for each item."""
        place = self.at = (statement.items.start, statement.items.end)
        source = self.value(statement.items)
        names = statement.names
        items = self.runtime.items(source) if len(names) == 1 else operators.entries(source, len(names))
        level = _Level((0, len(items)))
        self.level()
        self.levels.append(level)
        outermost = self.counted is None
        if outermost:
            self.counted = len(out)
        for index, item in enumerate(items):
            level.loop = (index, len(items))
            if len(names) == 1:
                level.own[names[0]] = item
            else:
                level.own.update(zip(names, item, strict=True))
            self.loops += 1
            if not self.loops & 15:
                self.tick(place, out)
            self.body(statement.body, out)
        if outermost:
            self.counted = None
        if not items:
            level.loop = None
            level.own.update(dict.fromkeys(names, UNDEFINED))
            self.body(statement.otherwise, out)
        self.levels.pop()

    def tick(self, place: tuple[int, int], out: list[str]) -> None:
        """Judge the passes of loops so far."""
        if self.loops >= LONG and not self.called and not self.patient:
            raise Worthwhile
        self.at = place
        self.counted = self.meter.tick(self.runtime.limits, self.loops, out, self.counted or 0)

    def assignment(self, statement: Set, out: list[str]) -> None:
        """`set`."""
        if statement.value is None:
            value: Any = self.captured(statement.body)
        else:
            self.at = (statement.value.start, statement.value.end)
            value = self.value(statement.value)
        for name in statement.names:
            self.write(name, value)

    def captured(self, body: Body) -> str:
        """The text of a body."""
        kept, self.counted = self.counted, None
        out: list[str] = []
        self.body(body, out)
        self.counted = kept
        return self.runtime.finish(out)

    def filter_block(self, statement: FilterBlock, out: list[str]) -> None:
        """`filter`."""
        own = self.level().own
        text = self.captured(statement.body)
        own[""] = text
        out.append(self.printed(statement.filtered))
        del own[""]

    def switch(self, statement: Switch, out: list[str]) -> None:
        """`switch`: a case without body shares the next one's, at the end the default's."""
        self.at = (statement.subject.start, statement.subject.end)
        subject, shared = self.value(statement.subject), list[Node]()
        for case, inner in statement.cases:
            shared.append(case)
            if inner:
                if any(self.is_case(subject, one) for one in shared):
                    self.body(inner, out)
                    return
                shared = []
        self.body(statement.otherwise, out)

    def is_case(self, subject: Any, case: Node) -> bool:
        """Whether a case is that of the subject."""
        self.at = (case.start, case.end)
        return strict_eq(subject, self.value(case))

    # Names

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

    def level(self) -> _Level:
        """The innermost level; the template's own is made when something is set or walked."""
        if not self.levels:
            self.levels.append(_Level(None))
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

    # Expressions

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
        """The value of an operand that must not be undefined when strict."""
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
        shown = " ".join(self.program.text[target.start : target.end].split())
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
        record = FILTERS[node.name]
        if record.replaces_undefined:
            return self.default(node, record.arguments)
        target = self.sure(node.target, record.needs_value and not self.lenient)
        values, named = self.arguments(node.arguments, record.arguments)
        keeping = record.keeps_safe and _MARKS_SAFE.search(self.program.text) is not None
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
            return FILTERS[node.name].function(target, *values, **named)
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
        return _SIGNS[node.operator](self.value(node.operand))

    def binary(self, node: Binary) -> Any:
        """Arithmetic, comparisons, `in`."""
        return _OPERATORS[node.operator](self.value(node.left), self.value(node.right))

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
                found = operators.subtract(found, self.value(right))
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
        return self.runtime.add(left, value)

    def logic(self, operands: Sequence[Node], is_or: bool) -> Any:
        """`and` and `or`: the operand that decides."""
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
_STATEMENTS: Final[Mapping[type[Statement], Callable[[_Rendering, Any, list[str]], None]]] = {
    FilterBlock: _Rendering.filter_block,
    For: _Rendering.loop,
    If: _Rendering.branches,
    Set: _Rendering.assignment,
    Switch: _Rendering.switch,
}
_EXPRESSIONS: Final[Mapping[type[Node], Callable[[_Rendering, Any], Any]]] = {
    Binary: _Rendering.binary,
    Call: _Rendering.call,
    Chain: _Rendering.chain,
    Choice: _Rendering.choice,
    DictOf: _Rendering.dict_of,
    Filtered: _Rendering.filtered,
    ListOf: _Rendering.list_of,
    Literal: _Rendering.literal,
    Member: _Rendering.member,
    Name: _Rendering.name,
    Tested: _Rendering.tested,
    Unary: _Rendering.unary,
}
