"""Resolvers: the functions that give the value of an option, with the place in the file on their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowdsl.errors import ConfigError, FlowError, TemplateError
from flowdsl.step.compiling import Names, Resolver
from flowdsl.syntax.node import Node
from flowdsl.syntax.scalars import span_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowdsl.document.document import StepNode
    from flowdsl.step.key import Key
    from flowdsl.step.problem import Problem


def constant(value: Any) -> Resolver:
    """The resolver of a value that never changes."""
    return lambda context, names: value


def located(compiled: Resolver, node: Node) -> Resolver:
    """The resolver with the place in the file on its errors."""

    def resolve(context: dict[str, Any], names: Names) -> Any:
        try:
            return compiled(context, names)
        except TemplateError as error:
            locate(error, node, names, context)
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


def of_host(error: BaseException) -> TemplateError | None:
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


def locate(error: TemplateError, node: Node, names: Names, context: Mapping[str, Any] | None = None) -> None:
    """Completes an error of a template with its place in the file, and with what there is in place of what is not."""
    if error.span is None:
        error.span = node.span if error.start is None else span_in(node, error.start, error.end or error.start + 1)
        error.hint = _hidden(error, node, names) or _meant(error, node, names, context or {}) or error.hint


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


def _meant(error: TemplateError, node: Node, names: Names, context: Mapping[str, Any]) -> str | None:
    """The hint when a template reads a member that its value lacks: the nearest one, and those that there are."""
    if error.start is None or error.code != "undefined-variable":
        return None
    from flowdsl.nearest import nearest
    from flowdsl.template.members import lacking

    read = node.value[error.start : error.end].strip()
    found = lacking(read, context, names)
    if found is None:
        return None
    shown, name, keys = found
    near = nearest(name, keys)
    member = f"{shown}.{near}" if near is not None and near.isidentifier() else f"{shown}['{near}']"
    meant = f"did you mean `{member}`?" if near is not None else None
    if shown == "flowContext":
        return meant
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    has = f"`{shown}` has {', '.join(key[:_LONG] for key in keys[:_SHOWN])}{more}" if keys else f"`{shown}` is empty"
    return f"{meant} {has}" if meant is not None else f"{has}; where it may lack it, write `{read} | default('')`"


_SHOWN = 8
_LONG = 40
"""So many keys are shown, and so many characters of each."""


def is_constant(node: Node) -> bool:
    """Whether a node holds no template and no `{name}`."""
    if node.kind == "scalar":
        return not isinstance(node.value, str) or "{" not in node.value
    return all(is_constant(child) for child in (node.value if node.kind == "list" else node.value.values()))


def plain_option(key: Key, value: Any, *, templated: bool) -> Any:
    """A text that a template made, read as a plain YAML scalar where the key is a number or a boolean."""
    if isinstance(value, str) and key.type in ("integer", "number", "boolean"):
        from flowdsl.syntax.core_schema import plain_value

        plain = plain_value(value.strip())
        return value if isinstance(plain, str) else plain  # a secret stays marked
    if isinstance(value, float) and key.type == "integer" and value.is_integer():
        return int(value)
    if templated and key.type == "text" and isinstance(value, (bool, int, float)):
        from flowdsl.template import to_text

        return to_text(value)
    return value


def config_error(step: StepNode, problem: Problem, *, secret: bool = False) -> ConfigError:
    """The exception for a problem of a step, with its place; no hint when it could reveal a secret."""
    error = ConfigError(problem.message, code=problem.code, hint=None if secret else problem.hint)
    error.step, error.path = step.spec.name, step.path
    node = step.keys.get(problem.key or "")
    error.span = node.span if node is not None else step.name_node.span
    return error
