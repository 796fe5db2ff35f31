"""Conditions: what they say where they are true, and whether they can ever be anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flowdsl.checker.types import ALL, ERROR, FUNCTION, IMAGE, LIST, MAP, NULL, UNDEFINED, Type, describe
from flowdsl.template import Template, holds, parse, parse_expression

if TYPE_CHECKING:
    from flowdsl.checker.paths import Paths
    from flowdsl.checker.state import State
    from flowdsl.document import StepNode
    from flowdsl.reader import Node
    from flowdsl.template.nodes import Node as Expression

KEYS = ("condition", "test", "switch")
_ALWAYS_TRUE = LIST | MAP | IMAGE | ERROR | FUNCTION


def decided_by(step: StepNode) -> str | None:
    """The key that holds the condition of a step, if it has one."""
    for key in KEYS:
        node = step.keys.get(key)
        if node is not None and not (node.kind == "scalar" and node.value is None):
            return key
    return None


def template_of(step: StepNode, key: str) -> Template | None:
    """The template of a condition; None when there is no expression in it."""
    node, spec = step.keys[key], step.spec.keys.get(key)
    if not isinstance(node.value, str):
        return None
    if spec is not None and spec.expression:
        return parse_expression(node.value)
    return parse(node.value) if "{" in node.value else None


def expression_of(step: StepNode, key: str | None) -> Expression | None:
    """The expression of a condition that is nothing but one."""
    template = template_of(step, key) if key is not None else None
    if template is None or template.problems or not template.is_native or template.is_literal:
        return None
    from flowdsl.template.nodes import Output
    from flowdsl.template.parser import body_of

    return next((part.expression for part in body_of(template) if isinstance(part, Output)), None)


def truth_states(step: StepNode, key: str | None, state: State) -> Callable[[str], State]:
    """For the name of a block the state it begins in: `then` where the condition is true, `else` where it is false."""
    expression = expression_of(step, key)
    if expression is None:
        return lambda name: state
    from flowdsl.checker.refine import refined

    def begin(name: str) -> State:
        if name == "else":
            return refined(state, expression, False) if "cases" not in step.keys else state
        if name in ("then", "do"):
            return refined(state, expression, True)
        if name.startswith("cases.") and name not in ("cases.default", "cases."):
            return refined(state, expression, True)
        return state

    return begin


def constant_condition(paths: Paths, step: StepNode, state: State, key: str | None) -> bool | None:
    """The value of a condition that is always the same, which is reported; None when it is not."""
    if key is None:
        return None
    found = constant(paths, step, state, key)
    if found is None:
        return None
    truth, why, hint = found
    node = step.keys[key]
    message = f"this condition is always {'true' if truth else 'false'}: {why}"
    if "cases" in step.keys:
        message = f"this SWITCH always takes the same case: {why}"
    paths.findings.add("constant-condition", message, node, hint=hint, severity="warning")
    return truth


def constant(paths: Paths, step: StepNode, state: State, key: str) -> tuple[bool, str, str | None] | None:
    """The truth of a condition that never changes, why that is, and what to write instead."""
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
    if "cases" in step.keys or (step.spec.shape == "signal" and step.spec.name not in _SIGNALS):
        return None
    return _of_type(paths, step, state, key, template, node)


_SIGNALS = frozenset({"END", "END_IF", "BREAK", "CONTINUE"})


def _of_literal(node: Node) -> tuple[bool, str, str | None]:
    value = node.value
    if node.kind != "scalar":
        return True, "it is a list or map", None
    if isinstance(value, str):
        truth = holds(value)
        looks = any(mark in value for mark in ("==", "!=", "<", ">", "flowContext", " and ", " or ", "&&", "||"))
        hint = f"write `{{{{ {value.strip()} }}}}` to compute it" if looks else None
        return truth, "it is a text without a template", hint
    return bool(value), f"it is {'true' if value is True else 'false' if value is False else value}", None


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
    paths: Paths, step: StepNode, state: State, key: str, template: Template, node: Node
) -> tuple[bool, str, str | None] | None:
    """A reference to something that is always true or false by its type."""
    if template.body is not None or template.outputs or len(template.references) != 1:
        return None
    mark = len(paths.findings.diagnostics)
    type: Type = paths.names.template(template, node, state, lax=True)
    del paths.findings.diagnostics[mark:]
    kinds = type.kinds & ALL
    shown = ".".join((template.references[0].root, *template.references[0].path))
    if kinds == NULL:
        return False, f"`{shown}` is null", None
    if not kinds or kinds & ~_ALWAYS_TRUE or kinds & UNDEFINED:
        return None
    word = {LIST: ", and a list is true even when it is empty", MAP: ", and a map is true even when it is empty"}
    hint = f"write `{{{{ {shown} | length }}}}`" if kinds in (LIST, MAP) else None
    return True, f"`{shown}` is {describe(type)}{word.get(kinds, '')}", hint
