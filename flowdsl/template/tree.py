"""From the rules of the grammar to nodes: one function for each alias in `grammar.lark`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flowdsl.template.nodes import (
    Arguments,
    Binary,
    Call,
    Chain,
    Choice,
    DictOf,
    Filtered,
    Keyword,
    ListOf,
    Literal,
    Member,
    Name,
    Node,
    Tested,
    Unary,
)
from flowdsl.template.values import Pattern

Token = tuple[str, Any, int, int]
_CONSTANTS: Final = {"true": True, "false": False, "none": None}


def _choose(parts: list[Any]) -> Node:
    return Choice(parts[0], parts[2], parts[4] if len(parts) > 3 else None)


def _chain(parts: list[Any], operators: tuple[str, ...]) -> Node:
    left, operator, right = parts[0], parts[1][0], parts[2]
    if type(left) is Chain and left.operators[0] in operators:
        left.operators.append(operator)
        left.operands.append(right)
        left.end = right.end
        return left
    return Chain([operator], [left, right])


def _logic(parts: list[Any]) -> Node:
    return _chain(parts, (parts[1][0],))


def _sum(parts: list[Any]) -> Node:
    return _chain(parts, ("+", "-", "~"))


def _binary(parts: list[Any]) -> Node:
    return Binary(parts[1][0], parts[0], parts[2])


def _contained(parts: list[Any]) -> Node:
    return Binary("in", parts[0], parts[2])


def _not_contained(parts: list[Any]) -> Node:
    return Unary("not", Binary("in", parts[0], parts[3]), parts[0].start)


def _trial(parts: list[Any]) -> Node:
    name, arguments, at, end = parts[-1]
    return Tested(parts[0], name, arguments, at, end)


def _not_trial(parts: list[Any]) -> Node:
    return Unary("not", _trial(parts), parts[0].start)


def _named(parts: list[Any]) -> tuple[str, Arguments, int, int]:
    token = parts[0]
    arguments = _arguments(parts[2]) if len(parts) > 1 else Arguments([], [])
    return token[1], arguments, token[2], parts[-1][3]


def _arguments(items: list[Node]) -> Arguments:
    return Arguments([i for i in items if type(i) is not Keyword], [i for i in items if type(i) is Keyword])


def _spliced(operator: str, left: Node, right: Node) -> Node:
    """`left operator right` where an ungrouped `%` on the right joins the same level from left to right."""
    if type(right) is Binary and right.operator == "%" and not right.grouped:
        return Binary("%", _spliced(operator, left, right.left), right.right)
    return Binary(operator, left, right)


def _product(parts: list[Any]) -> Node:
    return _spliced(parts[1][0], parts[0], parts[2])


def _quotient(parts: list[Any]) -> Node:
    return Unary("floor", _spliced("/", parts[0], parts[2]), parts[0].start)


def _filtered(parts: list[Any]) -> Node:
    name, arguments, at, end = parts[2]
    return Filtered(parts[0], name, arguments, at, end)


def _signed(parts: list[Any]) -> Node:
    return Unary("not" if parts[0][0] == "!" else parts[0][0], parts[1], parts[0][2])


def _dotted(parts: list[Any]) -> Node:
    token = parts[2]
    return Member(parts[0], Literal(token[1], token[2], token[3]), token[3])


def _group(parts: list[Any]) -> Node:
    node: Node = parts[1]
    if type(node) is Binary:
        node.grouped = True
    node.start, node.end = parts[0][2], parts[2][3]
    return node


def _more(parts: list[Any]) -> list[Any]:
    items: list[Any] = parts[0]
    items.append(parts[2])
    return items


def _constant(parts: list[Any]) -> Node:
    token = parts[0]
    return Literal(_CONSTANTS[token[0]], token[2], token[3])


def _literal(parts: list[Any]) -> Node:
    token = parts[0]
    return Literal(token[1], token[2], token[3])


BUILDERS: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "binary": _binary,
    "call": lambda parts: Call(parts[0], _arguments(parts[2]), parts[3][3]),
    "choose": _choose,
    "constant": _constant,
    "contained": _contained,
    "dict_of": lambda parts: DictOf(parts[1], parts[0][2], parts[2][3]),
    "dotted": _dotted,
    "filter": _named,
    "filtered": _filtered,
    "first_part": lambda parts: parts[0],
    "group": _group,
    "indexed": lambda parts: Member(parts[0], parts[2], parts[3][3]),
    "keyword": lambda parts: Keyword(parts[0][1], parts[2], parts[0][2]),
    "list_of": lambda parts: ListOf(parts[1], parts[0][2], parts[2][3]),
    "logic": _logic,
    "more_items": _more,
    "name": lambda parts: Name(parts[0][1], parts[0][2], parts[0][3]),
    "negation": lambda parts: Unary("not", parts[1], parts[0][2]),
    "no_items": lambda parts: [],
    "not_contained": _not_contained,
    "not_trial": _not_trial,
    "number": _literal,
    "one_item": list,
    "pair": lambda parts: Keyword(parts[0][1], parts[2], parts[0][2]),
    "pattern": lambda parts: Literal(Pattern(*parts[0][1]), parts[0][2], parts[0][3]),
    "product": _product,
    "quotient": _quotient,
    "signed": _signed,
    "string": _literal,
    "sum": _sum,
    "test": _named,
    "trial": _trial,
}
