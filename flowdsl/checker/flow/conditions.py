"""Conditions: what they say where they are true, and whether they can ever be anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flowdsl.checker.types.kinds import ALL, ERROR, FUNCTION, IMAGE, LIST, MAP, NULL, UNDEFINED, Type, describe
from flowdsl.diagnostics import Fix
from flowdsl.step.condition import holds
from flowdsl.step.flow_shapes import Switch
from flowdsl.syntax.quoting import in_quotes
from flowdsl.template import Template, parse, parse_expression
from flowdsl.template.nodes import Output
from flowdsl.template.parser import body_of

if TYPE_CHECKING:
    from flowdsl.checker.flow.abstract_run import AbstractRun
    from flowdsl.checker.flow.state import State
    from flowdsl.document.document import StepNode
    from flowdsl.syntax.node import Node
    from flowdsl.template.nodes import Node as Expression

_ALWAYS_TRUE = LIST | MAP | IMAGE | ERROR | FUNCTION


def template_of(step: StepNode, key: str) -> Template | None:
    """The template of the condition in an option; None when there is no expression in it."""
    node, spec = step.keys[key], step.spec.keys.get(key)
    if not isinstance(node.value, str):
        return None
    if spec is not None and spec.expression:
        return parse_expression(node.value)
    return parse(node.value) if "{" in node.value else None


def expression_of(step: StepNode, key: str | None) -> Expression | None:
    """The expression of the condition in an option, when it is nothing but one; else None."""
    template = template_of(step, key) if key is not None else None
    if template is None or template.problems or not template.is_native or template.is_literal:
        return None
    return next((part.expression for part in body_of(template) if isinstance(part, Output)), None)


def truth_states(step: StepNode, key: str | None, state: State) -> Callable[[bool | None], State]:
    """The state where the condition is true, and where it is false; None is where nothing is known of it.

    The value that a Switch compares says something only where it fits a case.
    """
    expression = expression_of(step, key)
    if expression is None:
        return lambda holds: state
    from flowdsl.checker.flow.narrowing import narrowed

    return lambda holds: state if holds is None else narrowed(state, expression, holds)


def constant_condition(run: AbstractRun, step: StepNode, state: State, key: str | None) -> bool | None:
    """The truth of the condition in an option, which is reported, if it is always the same; None when it is not."""
    if key is None:
        return None
    found = constant(run, step, state, key)
    if found is None:
        return None
    truth, why, hint = found
    node = step.keys[key]
    message = f"this condition is always {'true' if truth else 'false'}: {why}"
    if isinstance(step.spec.flow, Switch):
        message = f"this {step.spec.name} always takes the same case: {why}"
    fix = _computed(node) if hint is not None and hint.endswith(TO_COMPUTE) else None
    if hint is not None and "| length" in hint:
        from flowdsl.syntax.fixes import piped

        fix = piped(node, "length")
    run.findings.add("constant-condition", message, node, hint=hint, fixes=[fix])
    return truth


def constant(run: AbstractRun, step: StepNode, state: State, key: str) -> tuple[bool, str, str | None] | None:
    """The truth of a condition that never changes, the message, and its hint; None of one that may change."""
    node, template = step.keys[key], template_of(step, key)
    if template is None or template.is_literal:
        return _of_literal(node)
    if template.problems:
        return None
    if not template.is_native:
        return _of_text(template)
    expression = expression_of(step, key)
    if expression is None:
        return None
    if not template.references and not _calls(template):
        value = _evaluated(template)
        return None if value is None else (value, "it reads nothing that changes", None)
    if isinstance(step.spec.flow, Switch):
        return None
    return _of_type(run, step, state, key, template, node)


TO_COMPUTE = " to compute it"


def _computed(node: Node) -> Fix | None:
    """A text that looks like an expression as a template of it."""
    from flowdsl.syntax.fixes import renamed

    return renamed(node, f"{{{{ {node.value.strip()} }}}}", title="compute it")


def _of_literal(node: Node) -> tuple[bool, str, str | None]:
    value = node.value
    if node.kind != "scalar":
        return True, "it is a list or map", None
    if isinstance(value, str):
        truth = holds(value)
        looks = any(mark in value for mark in _COMPUTED)
        hint = f"write `{in_quotes(f'{{{{ {value.strip()} }}}}')}`{TO_COMPUTE}" if looks else None
        return truth, "it is a text without a template", hint
    return bool(value), f"it is {'true' if value is True else 'false' if value is False else value}", None


_COMPUTED = ("==", "!=", "<", ">", "flowContext", "inputs.", "local.", " and ", " or ", "&&", "||")


def _of_text(template: Template) -> tuple[bool, str, str | None] | None:
    """A template with text around it: the text alone makes it true."""
    from flowdsl.template.nodes import Output, Text
    from flowdsl.template.parser import body_of

    body = body_of(template)
    if not all(isinstance(part, (Text, Output)) for part in body):
        return None
    text = "".join(part.text for part in body if isinstance(part, Text))
    if not any(char in text for char in "=<>!&|()'\"0123456789+*/?:"):
        return None
    return True, "the text around the template is compared with nothing", "put the whole comparison inside `{{ }}`"


def _calls(template: Template) -> bool:
    from flowdsl.template.filters import FILTERS
    from flowdsl.template.nodes import Call, Filtered, Output
    from flowdsl.template.parser import body_of

    parts: list[object] = [part.expression for part in body_of(template) if isinstance(part, Output)]
    while parts:
        part = parts.pop()
        if isinstance(part, Call) or (isinstance(part, Filtered) and FILTERS[part.name].varies):
            return True
        parts += part.parts()  # type: ignore[attr-defined]  # every part of an expression is a node
    return False


def _evaluated(template: Template) -> bool | None:
    from flowdsl.errors import TemplateError
    from flowdsl.template import compile

    try:
        value = compile(template, strict=False, native=True)({}, {})
    except TemplateError:
        return None
    return holds(value)


def _of_type(
    run: AbstractRun, step: StepNode, state: State, key: str, template: Template, node: Node
) -> tuple[bool, str, str | None] | None:
    """A reference to something that is always true or false by its type."""
    if template.body is not None or template.outputs or len(template.references) != 1:
        return None
    mark = len(run.findings.diagnostics)
    type: Type = run.names.template(template, node, state, lax=True)
    del run.findings.diagnostics[mark:]
    kinds = type.kinds & ALL
    shown = ".".join((template.references[0].root, *template.references[0].path))
    if kinds == NULL:
        return False, f"`{shown}` is null", None
    if not kinds or kinds & ~_ALWAYS_TRUE or kinds & UNDEFINED:
        return None
    word = {LIST: ", and a list is true even when it is empty", MAP: ", and a map is true even when it is empty"}
    hint = f"write `{in_quotes(f'{{{{ {shown} | length }}}}')}`" if kinds in (LIST, MAP) else None
    return True, f"`{shown}` is {describe(type)}{word.get(kinds, '')}", hint
