"""The tree of a template. `start` and `end` are offsets into its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


class Node:
    """A part of a template."""

    __slots__ = ("end", "start")
    start: int
    end: int

    def parts(self) -> Iterator[Node]:
        """The nodes directly below, in the order they are written."""
        return iter(())


class Literal(Node):
    """A constant: text, number, true, false, null or a pattern."""

    __slots__ = ("value",)

    def __init__(self, value: Any, start: int, end: int) -> None:
        self.value = value
        self.start = start
        self.end = end


class Name(Node):
    """A bare name."""

    __slots__ = ("name",)

    def __init__(self, name: str, start: int, end: int) -> None:
        self.name = name
        self.start = start
        self.end = end


class Member(Node):
    """`target.key` or `target[key]`; a constant key is a Literal."""

    __slots__ = ("key", "target")

    def __init__(self, target: Node, key: Node, end: int) -> None:
        self.target = target
        self.key = key
        self.start = target.start
        self.end = end

    def parts(self) -> Iterator[Node]:
        yield self.target
        yield self.key


class Arguments:
    """The arguments of a call: by position, and by name."""

    __slots__ = ("named", "values")

    def __init__(self, values: list[Node], named: list[Keyword]) -> None:
        self.values = values
        self.named = named

    def parts(self) -> Iterator[Node]:
        """The argument nodes."""
        yield from self.values
        for keyword in self.named:
            yield keyword.value


class Keyword(Node):
    """`name=value` among arguments, `name: value` in a mapping."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Node, start: int) -> None:
        self.name = name
        self.value = value
        self.start = start
        self.end = value.end


class Call(Node):
    """`target(arguments)`."""

    __slots__ = ("arguments", "target")

    def __init__(self, target: Node, arguments: Arguments, end: int) -> None:
        self.target = target
        self.arguments = arguments
        self.start = target.start
        self.end = end

    def parts(self) -> Iterator[Node]:
        yield self.target
        yield from self.arguments.parts()


class _Named(Node):
    """A value with a name from a table behind it, and arguments; `at` is where the name begins."""

    __slots__ = ("arguments", "at", "name", "target")

    def __init__(self, target: Node, name: str, arguments: Arguments, at: int, end: int) -> None:
        self.target = target
        self.name = name
        self.arguments = arguments
        self.at = at
        self.start = target.start
        self.end = end

    def parts(self) -> Iterator[Node]:
        yield self.target
        yield from self.arguments.parts()


class Filtered(_Named):
    """`target | name(arguments)`."""

    __slots__ = ()


class Tested(_Named):
    """`target is name(arguments)`."""

    __slots__ = ()


class Unary(Node):
    """`not x`, `-x`, `+x`, or `floor x` for what `//` makes of a quotient."""

    __slots__ = ("operand", "operator")

    def __init__(self, operator: str, operand: Node, start: int) -> None:
        self.operator = operator
        self.operand = operand
        self.start = start
        self.end = operand.end

    def parts(self) -> Iterator[Node]:
        yield self.operand


class Binary(Node):
    """Two operands; `grouped` when it stands in parentheses."""

    __slots__ = ("grouped", "left", "operator", "right")

    def __init__(self, operator: str, left: Node, right: Node) -> None:
        self.operator = operator
        self.left = left
        self.right = right
        self.grouped = False
        self.start = left.start
        self.end = right.end

    def parts(self) -> Iterator[Node]:
        yield self.left
        yield self.right


class Chain(Node):
    """Operands of `+ - ~` from left to right, or of `and`, or of `or`; `operators` has one less."""

    __slots__ = ("operands", "operators")

    def __init__(self, operators: list[str], operands: list[Node]) -> None:
        self.operators = operators
        self.operands = operands
        self.start = operands[0].start
        self.end = operands[-1].end

    def parts(self) -> Iterator[Node]:
        return iter(self.operands)


class Choice(Node):
    """`value if condition else other`; without `else` the other is empty text."""

    __slots__ = ("condition", "other", "value")

    def __init__(self, value: Node, condition: Node, other: Node | None) -> None:
        self.value = value
        self.condition = condition
        self.other = other
        self.start = value.start
        self.end = (other or condition).end

    def parts(self) -> Iterator[Node]:
        yield self.value
        yield self.condition
        if self.other is not None:
            yield self.other


class ListOf(Node):
    """`[a, b]`."""

    __slots__ = ("items",)

    def __init__(self, items: list[Node], start: int, end: int) -> None:
        self.items = items
        self.start = start
        self.end = end

    def parts(self) -> Iterator[Node]:
        return iter(self.items)


class DictOf(Node):
    """`{a: b}`."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[Keyword], start: int, end: int) -> None:
        self.pairs = pairs
        self.start = start
        self.end = end

    def parts(self) -> Iterator[Node]:
        return (pair.value for pair in self.pairs)


class Statement:
    """A part of a template's text: literal text, an output, a tag."""

    __slots__ = ()


class Text(Statement):
    """Literal text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Output(Statement):
    """`{{ expression }}`."""

    __slots__ = ("expression",)

    def __init__(self, expression: Node) -> None:
        self.expression = expression


Body = Sequence[Statement]


class If(Statement):
    """`if`, `elif`, `else`: conditions with bodies; the else has no condition."""

    __slots__ = ("branches",)

    def __init__(self, branches: list[tuple[Node | None, Body]]) -> None:
        self.branches = branches


class For(Statement):
    """`for names in items`, with an `else` for no items."""

    __slots__ = ("body", "items", "names", "otherwise")

    def __init__(self, names: list[str], items: Node, body: Body, otherwise: Body) -> None:
        self.names = names
        self.items = items
        self.body = body
        self.otherwise = otherwise


class Set(Statement):
    """`set names = value`, or with a body whose text is the value."""

    __slots__ = ("body", "names", "value")

    def __init__(self, names: list[str], value: Node | None, body: Body) -> None:
        self.names = names
        self.value = value
        self.body = body


class Switch(Statement):
    """`switch`: cases compared by `===`; a case without body falls through."""

    __slots__ = ("cases", "otherwise", "subject")

    def __init__(self, subject: Node, cases: list[tuple[Node, Body]], otherwise: Body) -> None:
        self.subject = subject
        self.cases = cases
        self.otherwise = otherwise


class FilterBlock(Statement):
    """`filter`: the text of a body, filtered; `placeholder` is what stands for that text."""

    __slots__ = ("body", "filtered", "placeholder")

    def __init__(self, filtered: Filtered, placeholder: Name, body: Body) -> None:
        self.filtered = filtered
        self.placeholder = placeholder
        self.body = body
