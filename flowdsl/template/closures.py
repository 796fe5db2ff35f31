"""Plain templates as closures: literal text, and outputs of names with members, such as `{{ flowContext.title }}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowdsl.template.builtins import BUILTINS
from flowdsl.template.limits import limit_error
from flowdsl.template.members import member
from flowdsl.template.nodes import Body, Literal, Member, Name, Node, Output, Text
from flowdsl.template.runtime import Runtime, undefined
from flowdsl.template.values import UNDEFINED

Names = Mapping[str, Any]
Get = Callable[[Mapping[str, Any], Names], Any]


def is_plain(body: Body) -> bool:
    """Whether statements are literal text and outputs of names with members alone."""
    for statement in body:
        if type(statement) is Output:
            node: Node = statement.expression
            while type(node) is Member and type(node.key) is Literal:
                node = node.target
            if type(node) is not Name:
                return False
        elif type(statement) is not Text:
            return False
    return True


def plain_value(text: str, node: Node, runtime: Runtime) -> Get:
    """The closure that gives the value of a name with members.

    The closure raises: TemplateError for undefined when strict.
    """
    get, native, strict = getter(node), runtime.native, runtime.strict

    def value(context: Mapping[str, Any], names: Names) -> Any:
        found = get(context, names)
        if type(found) is str:
            return found
        if strict and found is UNDEFINED:
            undefined(text, node.start, node.end)
        return native(found)

    return value


def plain_text(text: str, body: Body, runtime: Runtime) -> Get:
    """The closure that gives the text of a plain body.

    Raises: nothing; the closure raises TemplateError for undefined when strict, and for text beyond the limit.
    """
    literals: list[str] = []
    nodes: list[tuple[int, Node]] = []
    for statement in body:
        if type(statement) is Output:
            nodes.append((len(literals), statement.expression))
        literals.append(statement.text if type(statement) is Text else "")
    getters = [(at, getter(node)) for at, node in nodes]
    join, most = "".join, runtime.limits.max_output

    def printed(parts: list[Any]) -> str:
        for at, node in nodes:
            value = parts[at]
            if runtime.strict and value is UNDEFINED:
                undefined(text, node.start, node.end)
            parts[at] = runtime.printed(value, (node.start, node.end))
        return join(parts)

    def rendered(context: Mapping[str, Any], names: Names) -> str:
        parts = literals.copy()
        for at, get in getters:
            parts[at] = get(context, names)
        try:
            found = join(parts)
        except TypeError:  # most parts are texts
            found = printed(parts)
        if len(found) > most:
            raise limit_error("too much text", f"{most:,} characters")
        return found

    return rendered


def getter(node: Node) -> Get:
    """The closure that reads a name with members."""
    if not isinstance(node, Member):
        return _name(node)
    assert isinstance(node.key, Literal)  # noqa: S101  `is_plain` has looked
    key, target = node.key.value, node.target
    if type(key) is not str or key.isdigit():
        return _indexed(getter(target), key)
    if isinstance(target, Name) and target.name == "flowContext":
        return _of_flow(key)
    return _member(getter(target), key)


def _indexed(target: Get, key: Any) -> Get:
    return lambda context, names: member(target(context, names), key)


def _member(target: Get, key: str) -> Get:
    def get(context: Mapping[str, Any], names: Names) -> Any:
        found = target(context, names)
        return found.get(key, UNDEFINED) if type(found) is dict else member(found, key)

    return get


def _of_flow(key: str) -> Get:
    def get(context: Mapping[str, Any], names: Names) -> Any:
        found = names.get("flowContext", context)
        return found.get(key, UNDEFINED) if type(found) is dict else member(found, key)

    return get


def _name(node: Node) -> Get:
    assert isinstance(node, Name)  # noqa: S101  `is_plain` has looked
    name = node.name
    if name == "flowContext":
        return lambda context, names: names.get(name, context)
    fallback = BUILTINS.get(name, UNDEFINED)
    return lambda context, names: names[name] if name in names else context.get(name, fallback)
