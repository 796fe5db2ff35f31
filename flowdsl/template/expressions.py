"""Python expressions for template expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from flowdsl.errors import TemplateError
from flowdsl.template.filters import Filter, marks_safe
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
from flowdsl.template.scope import LOOP_PARTS, Scope
from flowdsl.template.tests import TESTS
from flowdsl.template.writer import Line, Writer

T = TypeVar("T")

# An expression this many levels deep gets a line of its own: Python refuses more than 200 nested parentheses.
HOIST: Final = 12
_COMPARISONS: Final = {"<", ">", "<=", ">="}
_ARITHMETIC: Final = {"*": "multiply", "/": "divide", "%": "remainder", "**": "power"}
_EQUALITY: Final = {
    "==": ("==", "loose_eq"),
    "!=": ("!=", "not loose_eq"),
    "===": ("==", "strict_eq"),
    "!==": ("!=", "not strict_eq"),
}


class Expressions:
    """Writes expressions; `scope` knows the names.

    What is most often the case is decided in the code itself; functions are called for the rest.
    """

    def __init__(
        self,
        writer: Writer,
        scope: Scope,
        filters: Mapping[str, Filter],
        *,
        strict: bool,
        wrap: Callable[..., Any],
        max_depth: int,
    ) -> None:
        self.writer = writer
        self.scope = scope
        self.filters = filters
        self.strict = strict
        self.wrap = wrap
        self.max_depth = max_depth
        self.level = 0
        self.lax_filters = 0
        self.lax = 0
        self.marks_safe = marks_safe(writer.places.text)

    def code(self, node: Node) -> str:
        """Python code that computes a node; lines it needs before are written.

        Raises: TemplateError when the node stands deeper than the limit.
        """
        self.level += 1
        level = self.level
        if level > self.max_depth:
            raise TemplateError(
                f"this is nested deeper than {self.max_depth} levels",
                code="template-limit",
                start=node.start,
                end=node.end,
            )
        found = _WRITERS[type(node)](self, node)
        self.level -= 1
        if level % HOIST == 0 and not found.isidentifier():
            found = self.writer.hoist(found)
        return found

    def condition(self, node: Node) -> str:
        """Python code for the truth of a node; nothing in it is too undefined."""
        self.lax += 1
        found = self.truth(node)
        self.lax -= 1
        return found

    def truth(self, node: Node) -> str:
        """Python code for the truth of a node."""
        if isinstance(node, Tested) or (isinstance(node, Binary) and node.operator not in _ARITHMETIC):
            return self.code(node)
        if isinstance(node, Unary) and node.operator == "not":
            return self.code(node)
        if isinstance(node, Chain) and node.operators[0] in ("and", "or"):
            pieces = [self.apart(lambda part=part: self.truth(part)) for part in node.operands]  # type: ignore[misc]  # mypy cannot infer a lambda's default
            if not any(lines for _code, lines in pieces):
                return f"({f' {node.operators[0]} '.join(code for code, _lines in pieces)})"
        code = self.code(node)
        return code if self.kind(node) == "bool" else self.true(*self.bound(code))

    def true(self, local: str, bound: str) -> str:
        """Python code for the truth of what `bound` sets a local to."""
        return f"({local} if type({bound}) is str else truthy({local}))"

    def kind(self, node: Node) -> str | None:
        """What is sure of a part of `loop`: "int" or "bool"."""
        if isinstance(node, Member) and isinstance(node.target, Name) and isinstance(node.key, Literal):
            if self.scope.loop(node.target.name) is None:
                return None
            return (
                {"first": "bool", "last": "bool"}.get(node.key.value, "int") if node.key.value in LOOP_PARTS else None
            )
        return None

    def is_text(self, node: Node) -> bool:
        """Whether a node certainly gives text."""
        if isinstance(node, Literal):
            return isinstance(node.value, str)
        if isinstance(node, Choice):
            return self.is_text(node.value) and (node.other is None or self.is_text(node.other))
        if isinstance(node, Filtered):
            return self.filters[node.name].gives == "text"
        return isinstance(node, Chain) and set(node.operators) == {"~"}

    def apart(self, write: Callable[[], T]) -> tuple[T, list[Line]]:
        """Code that may not run, with the lines it needs, which are not written yet."""
        kept, self.writer.lines = self.writer.lines, []
        self.writer.indent += 1
        code = write()
        self.writer.indent -= 1
        lines, self.writer.lines = self.writer.lines, kept
        return code, lines

    def sure(self, node: Node, needed: bool = True) -> str:
        """The code of an operand that must not be undefined when strict and `needed`.

        Raises:
            TemplateError: it is nested more deeply than the limit.
        """
        code = self.code(node)
        if not self.strict or self.lax or not needed or isinstance(node, (Literal, ListOf, DictOf, Tested)):
            return code
        site = self.writer.places.site(node)
        if code.isidentifier():
            return f"({code} if {code} is not U else undefined({site}))"
        temp = self.writer.temp()
        return f"({temp} if ({temp} := {code}) is not U else undefined({site}))"

    def literal(self, node: Literal) -> str:
        """A constant."""
        if node.value is None or isinstance(node.value, bool):
            return repr(node.value)
        return self.writer.constant(node.value)

    def name(self, node: Name) -> str:
        """The code that reads a name."""
        return self.scope.read(node.name)

    def member(self, node: Member) -> str:
        """A member, read straight from a dict."""
        if isinstance(node.key, Literal) and isinstance(node.target, Name):
            loop = self.scope.loop(node.target.name)
            if loop is not None:
                return loop.part(node.key.value)
        target = self.code(node.target)
        if isinstance(node.key, Literal) and type(node.key.value) is str and not node.key.value.isdigit():
            key = self.writer.constant(node.key.value)
            getter = self.scope.getter(target)
            if getter is not None:
                return f"{getter}({key}, U)"
            temp, bound = self.bound(target)
            return f"({temp}.get({key}, U) if type({bound}) is dict else member({temp}, {key}))"
        return f"member({target}, {self.code(node.key)})"

    def call(self, node: Call) -> str:
        """A call."""
        target = node.target
        shown = self.writer.constant(" ".join(self.writer.places.text[target.start : target.end].split()))
        function = self.code(target)
        arguments = "".join(", " + code for code in self.arguments(node.arguments, None))
        return f"meter.timed(LIMITS, call({function}, {shown}{arguments}))"

    def arguments(self, arguments: Arguments, names: tuple[str, ...] | None) -> list[str]:
        """The code of arguments; a filter's surplus ones are dropped, as JavaScript does."""
        values = arguments.values if names is None else arguments.values[: len(names)]
        codes = [self.code(value) for value in values]
        for keyword in arguments.named:
            if names is None:
                codes.append(f"**{{{self.writer.constant(keyword.name)}: {self.code(keyword.value)}}}")
            elif keyword.name in names[len(values) :]:
                codes.append(f"{keyword.name}={self.code(keyword.value)}")
        return codes

    def filtered(self, node: Filtered) -> str:
        """A filter."""
        known = self.filters[node.name]
        if known.replaces_undefined:
            return self.default(node)
        target = self.sure(node.target, known.needs_value and not self.lax_filters)
        function = self.writer.constant(self.wrap(known.keeping if self.marks_safe else known.function))
        code = f"{function}({', '.join([target, *self.arguments(node.arguments, known.arguments)])})"
        return code if known.quick else f"meter.timed(LIMITS, {code})"

    def default(self, node: Filtered) -> str:
        """The filter `default`: its fallback is computed first, as any argument is."""
        self.lax_filters += 1
        target = self.code(node.target)
        self.lax_filters -= 1
        arguments = self.arguments(node.arguments, ("fallback", "falsy"))
        fallback = arguments[0] if arguments and "=" not in arguments[0].split("(")[0] else ""
        if (len(arguments) == 1 and fallback) or not arguments:
            temp = self.writer.temp()
            return f"({temp} if ({temp} := {target}) is not U else {fallback or 'U'})"
        function = self.writer.constant(self.filters["default"].function)
        return f"{function}({', '.join([target, *arguments])})"

    def tested(self, node: Tested) -> str:
        """A test."""
        target = self.code(node.target)
        if node.name in ("defined", "undefined"):
            return f"({target} is {'not ' if node.name == 'defined' else ''}U)"
        if node.name in ("none", "null"):
            return f"({target} is None)"
        function = self.writer.constant(TESTS[node.name])
        codes = [self.code(value) for value in node.arguments.values]
        return f"{function}({', '.join([target, *codes])})"

    def unary(self, node: Unary) -> str:
        """`not`, signs, and the floor of `//`."""
        if node.operator == "not":
            return f"(not {self.condition(node.operand)})"
        function = {"-": "negate", "+": "to_number", "floor": "floored"}[node.operator]
        if self.strict and not self.lax:
            function = {"-": "finite_negate", "+": "finite_number"}.get(node.operator, function)
        return f"{function}({self.code(node.operand)})"

    def binary(self, node: Binary) -> str:
        """Arithmetic, comparisons, `in`."""
        left, right = self.code(node.left), self.code(node.right)
        if node.operator in _ARITHMETIC:
            return f"{self.finite}{_ARITHMETIC[node.operator]}({left}, {right})"
        if node.operator == "in":
            return f"contains({left}, {right})"
        if node.operator in _COMPARISONS:
            kind, fast, slow = "int", node.operator, f"compare({{}}, {{}}, {self.writer.constant(node.operator)})"
        else:
            fast, function = _EQUALITY[node.operator]
            kind, slow = "str", f"{function}({{}}, {{}})"
        a, a_bound = self.bound(left)
        if isinstance(node.right, Literal) and type(node.right.value).__name__ == kind:
            return f"({a} {fast} {right} if type({a_bound}) is {kind} else {slow.format(a, right)})"
        b, b_bound = self.bound(right)
        return f"({a} {fast} {b} if type({a_bound}) is type({b_bound}) is {kind} else {slow.format(a, b)})"

    @property
    def finite(self) -> str:
        """What the name of an arithmetic function begins with: when strict, one that refuses NaN and Infinity."""
        return "finite_" if self.strict and not self.lax else ""

    def bound(self, code: str) -> tuple[str, str]:
        """A local that holds what code gives, and the code that sets it where it is first read."""
        if code.isidentifier():
            return code, code
        temp = self.writer.temp()
        return temp, f"{temp} := {code}"

    def chain(self, node: Chain) -> str:
        """`and`, `or`, or `+ - ~` from left to right."""
        if node.operators[0] in ("and", "or"):
            return self.logic(node)
        if all(operator == "~" for operator in node.operators):
            function = "concat" if len(node.operands) == 2 else "texts"
            return f"{function}({', '.join([self.sure(part) for part in node.operands])})"
        code = self.sure(node.operands[0], node.operators[0] == "~")
        for index, operator in enumerate(node.operators):
            right = node.operands[index + 1]
            if operator == "~":
                code = f"texts({code}, {self.sure(right)})"
            elif operator == "-":
                code = f"{self.finite}subtract({code}, {self.code(right)})"
            else:
                code = self.plus(code, right, None if index else node.operands[0])
            if index % HOIST == HOIST - 1:
                code = self.writer.hoist(code)
        return code

    def plus(self, left: str, right: Node, first: Node | None) -> str:
        """`left + right`; joining undefined to text is an error when strict."""
        a, a_bound = self.bound(left)
        b, b_bound = self.bound(self.code(right))
        slow = f"add({a}, {b})"
        if self.strict and not self.lax:
            site = self.writer.places.site
            slow = f"add_strict({a}, {b}, {-1 if first is None else site(first)}, {site(right)})"
        total = self.writer.temp()
        fast = f"type({a_bound}) is type({b_bound}) is int and LEAST < ({total} := {a} + {b}) < MOST"
        return f"({total} if {fast} else {slow})"

    def logic(self, node: Chain) -> str:
        """`and` and `or`: the operand that decides."""
        is_or = node.operators[0] == "or"
        parts = [self.code(node.operands[0])]
        later = [self.apart(lambda part=part: self.code(part)) for part in node.operands[1:]]  # type: ignore[misc]  # mypy cannot infer a lambda's default
        if len(later) < HOIST and not any(lines for _code, lines in later):
            parts += [code for code, _lines in later]
            code = parts.pop()
            while parts:
                temp, bound = self.bound(parts.pop())
                value, other = (temp, code) if is_or else (code, temp)
                code = f"({value} if {self.true(temp, bound)} else {other})"
            return code
        temp = self.writer.hoist(parts[0])
        for code, lines in later:
            # side by side, not nested: a decided value stays decided
            self.writer.line(f"if {'not ' if is_or else ''}truthy({temp}):")
            self.writer.lines += lines
            self.writer.line(f"    {temp} = {code}")
        return temp

    def choice(self, node: Choice) -> str:
        """The inline if."""
        condition = self.condition(node.condition)
        value, value_lines = self.apart(lambda: self.code(node.value))
        alternative = node.other or Literal("", node.end, node.end)
        other, other_lines = self.apart(lambda: self.code(alternative))
        if not value_lines and not other_lines:
            return f"({value} if {condition} else {other})"
        temp = self.writer.temp()
        self.writer.line(f"if {condition}:")
        self.writer.lines += value_lines
        self.writer.line(f"    {temp} = {value}")
        self.writer.line("else:")
        self.writer.lines += other_lines
        self.writer.line(f"    {temp} = {other}")
        return temp

    def list_of(self, node: ListOf) -> str:
        """A list."""
        return f"[{', '.join([self.code(item) for item in node.items])}]"

    def dict_of(self, node: DictOf) -> str:
        """A mapping."""
        pairs = [f"{self.writer.constant(pair.name)}: {self.code(pair.value)}" for pair in node.pairs]
        return f"{{{', '.join(pairs)}}}"


_WRITERS: Final[dict[type[Node], Callable[[Any, Any], str]]] = {
    Binary: Expressions.binary,
    Call: Expressions.call,
    Chain: Expressions.chain,
    Choice: Expressions.choice,
    DictOf: Expressions.dict_of,
    Filtered: Expressions.filtered,
    ListOf: Expressions.list_of,
    Literal: Expressions.literal,
    Member: Expressions.member,
    Name: Expressions.name,
    Tested: Expressions.tested,
    Unary: Expressions.unary,
}
