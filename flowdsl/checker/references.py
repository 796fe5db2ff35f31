"""Templates in the options of a step: their syntax, their filters, and the names they read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flowdsl.checker.findings import Findings, Scope
from flowdsl.diagnostics import Related, Severity
from flowdsl.nearest import nearest
from flowdsl.reader import Node
from flowdsl.rules import UNKNOWN
from flowdsl.scalars import span_in
from flowdsl.source import Span
from flowdsl.template import Template, parse, parse_expression

if TYPE_CHECKING:
    from flowdsl.template import Reference

RESERVED_NAMES = frozenset({"flowContext", "inputs", "global", "section", "local", "imports", "env", "secret", "kv"})
"""The names every template can read."""
BUILTIN_NAMES = frozenset({"range", "cycler", "joiner", "JSON", "Object", "Math"})
"""The functions and objects every template has."""

_PYTHON = {"True": "true", "False": "false", "None": "none"}
_SINGLE = re.compile(r"(?<!\{)\$?\{\s{0,9}((?:flowContext|inputs)\.[\w.]{1,99})\s{0,9}\}")
_UNQUOTED = re.compile(r"\b(secret|kv)\(\s{0,9}$")


def resolved_value(node: Node, findings: Findings, scope: Scope, condition: bool = False) -> Any:
    """The value of an option as far as it is known before the run: UNKNOWN when a template decides it.

    Checks every template inside on the way. In a `condition` an undefined value is false and no mistake.
    """
    value = node.value
    if node.kind == "scalar":
        if value.__class__ is not str or "{" not in value:
            return value
        template = parse(value)
        if template.is_literal and not template.problems:
            single = _SINGLE.search(value)
            if single is not None:
                _report_single(single, node, findings)
            return value
        check_template(template, node, findings, scope, condition)
        return UNKNOWN
    children = node.value if node.kind == "list" else node.value.values()
    known = [resolved_value(child, findings, scope, condition) for child in children]
    if any(item is UNKNOWN for item in known):
        return UNKNOWN
    return known if node.kind == "list" else dict(zip(node.value, known, strict=True))


def _report_single(found: re.Match[str], node: Node, findings: Findings) -> None:
    message, hint = f"`{found[0]}` stays as it is: a template has two braces", f"write `{{{{ {found[1]} }}}}`"
    findings.add("single-braces", message, span_in(node, *found.span()), hint=hint, severity="warning")


def check_expression(node: Node, findings: Findings, scope: Scope, condition: bool = False) -> None:
    """Checks a bare expression, as the older keys `expression`, `test` and `switch` hold it."""
    if isinstance(node.value, str):
        check_template(parse_expression(node.value), node, findings, scope, condition)


def check_template(template: Template, node: Node, findings: Findings, scope: Scope, condition: bool) -> None:
    """Reports the problems of a template and the names it reads that do not exist; each name once."""
    for problem in template.problems:
        span = span_in(node, problem.start, problem.end)
        findings.add(problem.code, problem.message, span, hint=problem.hint)
    reported: set[str] = set()
    for reference in template.references:
        name = reference.path[0] if reference.root in ("flowContext", "inputs") and reference.path else reference.root
        if name not in reported and not _exists(reference, scope):
            reported.add(name)
            if not (condition or reference.guarded) or name == "True":  # which would count as false there
                _report(reference, node, findings, scope)
        elif reference.root in scope.written and reference.root not in scope.names and reference.root not in reported:
            reported.add(reference.root)
            span = span_in(node, reference.start, reference.end)
            hint = f"write `flowContext.{reference.root}`"
            message = f"`{reference.root}` is read from the FlowContext by its bare name"
            findings.add("bare-name", message, span, hint=hint, severity="note")


def _exists(reference: Reference, scope: Scope) -> bool:
    root, path = reference.root, reference.path
    if root == "flowContext":
        return not path or path[0] in scope.written
    if root == "inputs":
        return not path or (scope.inputs is not None and path[0] in scope.inputs)
    return root in scope.names or root in BUILTIN_NAMES or root in scope.written


def _report(reference: Reference, node: Node, findings: Findings, scope: Scope) -> None:
    span = span_in(node, reference.start, reference.end)
    if reference.root in RESERVED_NAMES and reference.root not in scope.names:
        readable = ", ".join(f"`{name}`" for name in sorted(scope.names))
        message = f"`{node.value[reference.start : reference.end]}` cannot be read here"
        findings.add("undefined-variable", message, span, hint=f"a service entry reads only {readable}")
        return
    if reference.root == "inputs":
        _report_input(reference, span, findings, scope)
        return
    name = reference.path[0] if reference.root == "flowContext" else reference.root
    shown = f"flowContext.{name}" if reference.root == "flowContext" else name
    related: tuple[Related, ...] = ()
    hint: str | None
    severity: Severity
    if (function := _UNQUOTED.search(node.value[: reference.start])) is not None and not reference.path:
        message, hint = f"`{name}` is undefined", f"quote the name: `{function[1]}('{name}')`"
    elif name in scope.later:
        message, hint = f"`{shown}` is read before a step sets it", "move the step that sets it up"
        related = (Related(scope.later[name].span, "set here, later"),)
    elif reference.called:
        message, hint = f"there is no function `{name}`", _instead_of_function(name, scope)
    elif reference.root in _PYTHON and not reference.path:
        message, hint = f"`{name}` is undefined", f"write `{_PYTHON[name]}`"
    else:
        names = scope.written if reference.root == "flowContext" else [*scope.written, *scope.names]
        near = nearest(name, names)
        message = f"`{shown}` is undefined: no step before this one sets it, and no input declares it"
        if near:
            prefix = "flowContext." if near in scope.written else ""
            hint = f"did you mean `{prefix}{near}`?"
            where = scope.written.get(near)
            related = (Related(where.span, "set here"),) if where is not None else ()
        else:
            hint = f"set it in a SET step, declare it under `inputs:`, or write `{shown} | default('')`"
    severity = "warning" if scope.lenient and not reference.called else "error"
    findings.add("undefined-variable", message, span, hint=hint, severity=severity, related=related)


def _instead_of_function(name: str, scope: Scope) -> str | None:
    from flowdsl.template.filters import FILTERS
    from flowdsl.template.references import OTHER_FILTERS

    filter = name if name in FILTERS else OTHER_FILTERS.get(name)
    if filter is not None:
        return f"that is a filter: `value | {filter}`"
    near = nearest(name, scope.names | BUILTIN_NAMES)
    return f"did you mean `{near}`?" if near else None


def _report_input(reference: Reference, span: Span, findings: Findings, scope: Scope) -> None:
    name = reference.path[0]
    near = nearest(name, scope.inputs or ())
    if near:
        hint = f"did you mean `inputs.{near}`?"
    else:
        hint = f"declare it: `inputs:` with `{name}: {{type: string}}`, next to `flow:`"
    findings.add("undefined-input", f"the flow declares no input `{name}`", span, hint=hint)
