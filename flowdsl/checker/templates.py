"""Templates in the options of a step: their syntax, their filters and tests, wherever they stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flowdsl.checker.findings import Findings
from flowdsl.diagnostics import Edit, Fix
from flowdsl.source import Span
from flowdsl.step.rules import UNKNOWN
from flowdsl.syntax.edits import instead, replaced
from flowdsl.syntax.node import Node
from flowdsl.syntax.quoting import in_quotes
from flowdsl.syntax.scalars import span_in
from flowdsl.template import Reference, Template, parse, parse_expression
from flowdsl.template.problems import CURLED, TemplateProblem

if TYPE_CHECKING:
    from flowdsl.step.foreign import Word

SETTING_NAMES = frozenset({"env", "secret", "kv"})
"""The names that the templates of a service entry can read."""

_TAGS = r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}"
_SINGLE = r"(?<!\{)\$?\{\s{0,9}((?:flowContext|inputs)\.[\w.]{1,99})\s{0,9}\}"


def resolved_value(node: Node, findings: Findings) -> Any:
    """The value of an option as far as it is known before the run: UNKNOWN when a template or a `{name}` decides it.

    Reports every template inside that cannot be read.
    """
    value = node.value
    if node.kind == "scalar":
        if not isinstance(value, str) or "{" not in value:
            return value
        template = parse(value)
        if template.is_literal and not template.problems:
            single = re.compile(_SINGLE).search(value) if value[:2] not in ('f"', "f'") else None
            if single is not None:
                _report_single(single, node, findings)
            return UNKNOWN if any(f"{{{name}}}" in value for name in findings.placeholders) else value
        _check_template(template, node, findings)
        if value.count("{") != 2 * value.count("{{") and not template.problems:  # other braces than those of values
            single = re.compile(_SINGLE).search(re.compile(_TAGS, re.DOTALL).sub(_blank, value))
            if single is not None:
                _report_single(single, node, findings)
        return UNKNOWN
    children = node.value if node.kind == "list" else node.value.values()
    known = [resolved_value(child, findings) for child in children]
    if any(item is UNKNOWN for item in known):
        return UNKNOWN
    return known if node.kind == "list" else dict(zip(node.value, known, strict=True))


def _blank(tag: re.Match[str]) -> str:
    return " " * len(tag[0])


def _report_single(found: re.Match[str], node: Node, findings: Findings) -> None:
    message, new = f"`{found[0]}` stays as it is: a template has two braces", f"{{{{ {found[1]} }}}}"
    span = span_in(node, *found.span())
    if found.start() == 0 and node.style is None:  # there two braces would be a map
        new = in_quotes(new + node.value[found.end() :])
        fix: Fix | None = replaced(node.span, new, safe=True)
    else:
        fix = instead(span, found[0], new, style=node.style, safe=True)
    findings.add("single-braces", message, span, hint=f"write `{new}`", fixes=[fix])


def check_expression(node: Node, findings: Findings) -> None:
    """Adds to `findings` what is wrong with a bare expression, as some older keys hold it."""
    if isinstance(node.value, str):
        _check_template(parse_expression(node.value), node, findings)


def _check_template(template: Template, node: Node, findings: Findings) -> None:
    if template.problems:
        from flowdsl.template.references import settled

        template = settled(template, findings.settings.filters)
    for problem in template.problems:
        span = span_in(node, problem.start, problem.end)
        old = node.value[problem.start : problem.end]
        fix = instead(span, old, problem.instead, style=node.style) if problem.instead is not None else None
        hint = problem.hint
        if problem.code == "template-syntax":
            fix = fix or _repaired(problem, node)
            for triple in re.compile(_TRIPLE).finditer(node.value) if fix is None and hint is None else ():
                if triple.start() <= problem.start < triple.end():
                    hint, span, fix = _doubled(triple, node, findings)
        word = _foreign_filter(old) if problem.code == "unknown-filter" else None
        if word is not None:
            hint = word.hint or f"write `| {word.name}`"
            name = word.name.replace("'", '"') if word.name is not None and node.style == "'" else word.name
            fix = instead(span, old, name, style=node.style) if name is not None else None
        findings.add(problem.code, problem.message, span, hint=hint, fixes=[fix])


def _repaired(problem: TemplateProblem, node: Node) -> Fix | None:
    """A mistake of syntax whose remedy is plain, mended: a brace that is missing, `=` for `==`, `.0` for `[0]`, and the
    quotes of typography."""
    text, start, end = node.value, problem.start, problem.end
    found = text[start:end]
    if found == "{{" and (whole := re.compile(_HALF_CLOSED).match(text, start)) is not None:
        return _between(node, whole.end() - 1, whole.end(), "}", "}}")
    if found == "=" and (problem.hint or "").startswith("compare with"):
        return _between(node, start, end, found, "==")
    if found.isdigit() and text[start - 1 : start] == ".":
        return _between(node, start - 1, end, f".{found}", f"[{found}]")
    if found in CURLED:
        return _straight(node, start)
    if (hint := problem.hint or "").startswith("a member stands behind a dot"):
        return _between(node, start, end, found, ".")
    if hint.startswith("read a name with a blank") and (blank := re.search(_BLANK_IN_NAME, text[:end])) is not None:
        quote = '"' if node.style == "'" else "'"
        return _between(node, *blank.span(), blank[0], f"[{quote}{blank[1]} {blank[2]}{quote}]")
    if (closing := re.search(_NOT_CLOSED, hint)) is not None:
        at = len(text[:start].rstrip())
        fix = _between(node, at - 1, at, text[at - 1], text[at - 1] + closing[1])
        return None if fix is None else fix._replace(title=f"add `{closing[1]}`")
    ended = re.compile(_ENDED).search(problem.hint or "")
    if ended is not None and node.style != "|" and problem.message.endswith("is never ended"):
        last = span_in(node, len(text) - 1, len(text))
        return replaced(last, f"{last.text}{{% {ended[1]} %}}") if last.text == text[-1] else None
    if ended is not None and text[end:].lstrip().startswith(ended[1].removeprefix(found)):
        stop = text.index(ended[1].removeprefix(found), end) + len(ended[1]) - len(found)
        return _between(node, start, stop, text[start:stop], ended[1])
    if found == "?" and " if " in (hint := problem.hint or "") and (tag := _tag_around(text, start)) is not None:
        inside = hint.removeprefix("write `").removesuffix("`")
        return _between(node, *tag, text[tag[0] : tag[1]], f" {inside} ") if inside not in text else None
    if hint.startswith("there are no slices"):
        slices = (each for each in re.finditer(_SLICE, text) if each.start() < start < each.end())
        if (cut := next(slices, None)) is None:
            return None
        return _between(node, *cut.span(), cut[0], f".slice({', '.join(filter(None, (cut[1] or '0', cut[2])))})")
    if found == ":" and (filtered := re.compile(_COLON).match(text, start)) is not None:
        at = start - len(text[:start]) + len(text[:start].rstrip())
        return _between(node, at, filtered.end(), text[at : filtered.end()], f"({filtered[1]})")
    return None


def _doubled(found: re.Match[str], node: Node, findings: Findings) -> tuple[str, Span, Fix | None]:
    """What to write for a name in three braces, as Mustache has it, its place and the fix."""
    name, span = found[1], span_in(node, *found.span())
    known = name in findings.placeholders and name not in findings.settings.variables
    new = f"{{{{ {f'inputs.{name}' if known else name if '.' in name else f'flowContext.{name}'} }}}}"
    starts = found.start() == 0 and node.style is None
    return f"write `{new}`", span, instead(span, found[0], new, style=node.style) if not starts else None


def _tag_around(text: str, at: int) -> tuple[int, int] | None:
    """Where the inside of the `{{ }}` around a place begins and ends."""
    start, end = text.rfind("{{", 0, at), text.find("}}", at)
    return (start + 2, end) if start >= 0 and end >= 0 else None


_TRIPLE = r"\{\{\{\s{0,9}([A-Za-z_][\w.]{0,99})\s{0,9}\}\}\}"
_ENDED = r"(?:end it with `\{% |ends with `)(end\w+)"
_COLON = r":\s*([^|}]*[^|}\s])"
_HALF_CLOSED = r"\{\{[^{}]*\}(?!\})"
_BLANK_IN_NAME = r"\.(\w+) (\w+)\Z"
_NOT_CLOSED = r"is not closed: add `(.)`"
_SLICE = r"\[\s*([\w.-]*)\s*:\s*([\w.-]*)\s*\]"


def _between(node: Node, start: int, end: int, old: str, new: str) -> Fix | None:
    span = span_in(node, start, end)
    return replaced(span, new) if span.text == old else None


def _straight(node: Node, at: int) -> Fix | None:
    """The quotes of typography in the tag around a place as those of code."""
    text = node.value
    first = max(text.rfind("{{", 0, at), text.rfind("{%", 0, at))
    last = min((place for place in (text.find("}}", at), text.find("%}", at)) if place >= 0), default=len(text))
    other = "'" if node.style != "'" else '"'
    edits = []
    for place in range(max(first, 0), last):
        if text[place] in CURLED:
            span = span_in(node, place, place + 1)
            if span.text != text[place]:
                return None
            edits.append(Edit(span, other))
    return Fix(f"write `{other}`", tuple(edits))


def _foreign_filter(name: str) -> Word | None:
    from flowdsl.step.foreign import word_of

    return word_of("FILTERS", name)


def _secret(reference: Reference, node: Node, span: Span) -> Fix | None:
    """`${{ secrets.NAME }}` of other tools as the call that reads it here."""
    if (reference.root, len(reference.path)) != ("secrets", 1):
        return None
    quote, text = '"' if node.style == "'" else "'", span.source.text
    call = f"secret({quote}{reference.path[0]}{quote})"
    opening = text.rfind("{{", 0, span.start)
    if text[opening - 1 : opening] == "$":  # which would stay in the key
        span = span._replace(start=opening - 1)
        return replaced(span, f"{{{{ {call}", title=f"write `{call}`")
    return instead(span, span.text, call, style=node.style)


def check_setting(node: Node, findings: Findings) -> None:
    """Adds to `findings` what is wrong with the templates of a service setting: no FlowContext is there to be read."""
    resolved_value(node, findings)
    if node.kind != "scalar":
        for child in node.value if node.kind == "list" else node.value.values():
            check_setting(child, findings)
    elif isinstance(node.value, str) and "{" in node.value:
        for reference in parse(node.value).references:
            if reference.guarded:
                continue
            if reference.root == "env" and reference.path and reference.path[0] not in findings.settings.env:
                from flowdsl.checker.names.undefined import unreadable_variable
                from flowdsl.secrets.plain import names_secret

                name, span = reference.path[0], span_in(node, reference.start, reference.end)
                quote = '"' if node.style == "'" else "'"
                read = f"secret({quote}{name}{quote})"
                fix = instead(span, span.text, read, style=node.style) if names_secret(name) else None
                unreadable_variable(findings, name, span, fix)
            elif reference.root not in SETTING_NAMES:
                span = span_in(node, reference.start, reference.end)
                name = node.value[reference.start : reference.end]
                message = f"`{name}` cannot be read here"
                hint, fix = "a service entry reads only `env`, `kv` and `secret`", _secret(reference, node, span)
                if node.value[: reference.start].rstrip().endswith("secret("):
                    hint, fix = (
                        f"quote the name: `secret('{name}')`",
                        instead(span, name, f"'{name}'", style=node.style),
                    )
                findings.add("undefined-variable", message, span, hint=hint, fixes=[fix])
