"""Resolvers: the functions that give the value of an option, with the place in the file on their errors."""

from __future__ import annotations

from typing import Any

from flowdsl.errors import FlowError, TemplateError
from flowdsl.step.compiling import Names, Resolver
from flowdsl.syntax.node import Node
from flowdsl.syntax.scalars import span_in


def constant(value: Any) -> Resolver:
    """The resolver of a value that never changes."""
    return lambda context, names: value


def located(compiled: Resolver, node: Node) -> Resolver:
    """The resolver with the place in the file on its errors."""

    def resolve(context: dict[str, Any], names: Names) -> Any:
        try:
            return compiled(context, names)
        except TemplateError as error:
            locate(error, node, names)
            raise
        except FlowError:
            raise
        except Exception as error:
            failure = of_host(error)
            if failure is None:
                raise
            locate(failure, node, names)
            raise failure from failure.__cause__

    return resolve


def of_host(error: Exception) -> TemplateError | None:
    """The error of a template in which a function of the host raised this; None where none was called."""
    from flowdsl.template.operators import called_in, host_failure
    from flowdsl.template.taint import hide_in_failure

    called = called_in(error)
    if called is None:
        return None
    name, given = called
    failure = host_failure(f"`{name}`", error)
    failure.__cause__ = error
    hide_in_failure(failure, given)
    return failure


def locate(error: TemplateError, node: Node, names: Names) -> None:
    """Completes an error of a template with its place in the file."""
    if error.span is None:
        error.span = node.span if error.start is None else span_in(node, error.start, error.end or error.start + 1)
        error.hint = _hidden(error, node, names) or error.hint


def _hidden(error: TemplateError, node: Node, names: Names) -> str | None:
    """The hint when a template asks for an attribute that the host did not expose."""
    if error.start is None:
        return None
    from flowdsl.template.members import hidden_attribute

    path = hidden_attribute(node.value[error.start : error.end].partition("(")[0].strip(), names)
    if path is None:
        return None
    target, _, name = path.rpartition(".")
    return f"templates see only what the host exposes: flowdsl.template.exposed({target}, {name!r})"


def is_constant(node: Node) -> bool:
    """Whether a node holds no template and no `{name}`."""
    if node.kind == "scalar":
        return not isinstance(node.value, str) or "{" not in node.value
    return all(is_constant(child) for child in (node.value if node.kind == "list" else node.value.values()))
