"""Texts of Redpanda Connect: variables of the environment, queries in `${! … }`, and mappings of Bloblang, each with
what is wrong with it at its place in the author's file."""

from __future__ import annotations

import json
import re

from flowdsl import Edit, Fix
from flowdsl.document.dialects import Findings, Node, made
from flowdsl.step.problem import show
from flowdsl.syntax.edits import instead, replaced
from flowdsl.syntax.fixes import stands
from flowdsl.syntax.quoting import in_quotes, written
from flowdsl.syntax.scalars import span_in

_VARIABLE = re.compile(
    r"\$\{(?P<name>[A-Za-z_]\w*)(?::(?P<default>(?:\$\{[^}]*\}|[^{}])*))?(?P<decoded>\|base64decode)?\}"
)
_TEMPLATE = re.compile(r"\{(?=[{%#])")
BEGIN = "${!"
_SHOWN = 60


def text_of(node: Node, what: str, findings: Findings) -> str | None:
    """The text of a scalar; numbers and booleans are taken for one, as the engine does."""
    if node.kind != "scalar":
        findings.add("wrong-type", f"`{what}` takes a text, not {show(node.plain())}", node)
        return None
    if node.value is None or isinstance(node.value, str):
        return node.value or ""
    return json.dumps(node.value)


def plain_text(node: Node, what: str, findings: Findings, *, secret: bool = False) -> Node | None:
    """A text in which variables of the environment may stand, as a text of this language; None where it is empty.

    A variable of a `secret` is a secret; of others the run says which it may read.
    """
    text = text_of(node, what, findings)
    if not text:
        return None
    if "${" not in text and not _TEMPLATE.search(text):
        return node if isinstance(node.value, str) else made(text, node.span)
    parts, at = [], 0
    for found in _VARIABLE.finditer(text):
        if found["decoded"]:
            message = "not supported here: `|base64decode`"
            findings.add("not-supported", message, span_in(node, *found.span()))
        parts.append(_escaped(text[at : found.start()]))
        parts.append(_template(found["name"], found["default"], secret=secret))
        at = found.end()
    parts.append(_escaped(text[at:]))
    return made("".join(parts), node.span)


def secret_text(key: Node, node: Node, findings: Findings) -> Node | None:
    """A key: a variable of the environment, or, with a warning, the key itself."""
    text = text_of(node, key.value, findings)
    if not text or _VARIABLE.fullmatch(text):
        return plain_text(node, key.value, findings, secret=True)
    node.source.conceal(node.start, node.end)
    name = "OPENAI_API_KEY"
    message = f"`{key.value}` stands in the file, where everybody who has the file can read it"
    hint = f"write `{key.value}: ${{{name}}}`, which reads it from the environment"
    fix = replaced(node.span, f"${{{name}}}", title=f"read the environment variable {name}")
    findings.add("plain-secret", message, key, hint=hint, fixes=[fix])
    if "${" in text:
        return plain_text(node, key.value, findings, secret=True)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return made(f"{{{{ '{quoted}' }}}}", node.span)


def _escaped(text: str) -> str:
    """A text that is no template here; `${{NAME}}` is the text `${NAME}`."""
    text = re.sub(r"\$\{\{(\w+)\}\}", r"${\1}", text)
    return _TEMPLATE.sub("{{ '{' }}", text)


def _template(name: str, default: str | None, *, secret: bool) -> str:
    if secret:
        return f"{{{{ secret('{name}') }}}}"
    if default is None:
        return f"{{{{ env.{name} }}}}"
    quoted = "'" + default.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"{{{{ env.{name} or {quoted} }}}}"


def interpolated(node: Node, what: str, findings: Findings) -> Node | None:
    """A text that may have `${! … }` in it; None where it is empty, or not right."""
    text = text_of(node, what, findings)
    if not text:
        return None
    if BEGIN not in text:
        return plain_text(node, what, findings)
    from flowdsl_steps.expressions.bloblang import Interpolation, Mistake

    try:
        Interpolation(text)
    except Mistake as mistake:
        report(mistake, node, findings)
        return None
    return plain_text(node, what, findings)


def mapping(node: Node, what: str, findings: Findings) -> Node | None:
    """A mapping of Bloblang; None where it is not right."""
    text = text_of(node, what, findings)
    if text is None or _has_variable(text, node, what, findings):
        return None
    from flowdsl_steps.expressions.bloblang import Mapping, Mistake

    try:
        Mapping(text)
    except Mistake as mistake:
        report(mistake, node, findings)
        return None
    return node if isinstance(node.value, str) else made(text, node.span)


def prompt(node: Node, findings: Findings) -> Node | None:
    """A `prompt`: a mapping of Bloblang. A text with `${! … }` is taken, with a warning; words alone are none."""
    text = text_of(node, "prompt", findings)
    if not text or _has_variable(text, node, "prompt", findings):
        return None
    from flowdsl_steps.expressions.bloblang import Interpolation, Mapping, Mistake, is_prose

    if BEGIN in text:
        try:
            found = Interpolation(text)
        except Mistake as mistake:
            report(mistake, node, findings)
            return None
        better = _as_mapping(found)
        message = "`prompt` is a mapping of Bloblang in the engine, where a text with `${! }` is an error"
        findings.add("interpolated-mapping", message, node, hint=_write(better), fixes=[_instead_of(node, better)])
        return node
    try:
        query = Mapping(text)
    except Mistake as mistake:
        if is_prose(text):
            quoted = json.dumps(text.strip(), ensure_ascii=False)
            message = "this is prose, and `prompt` takes a mapping of Bloblang"
            hint = f"quote it as a text of Bloblang{': ' + _write(quoted) if len(quoted) < _SHOWN else ''}"
            findings.add("bloblang-syntax", message, node, hint=hint, fixes=[_instead_of(node, quoted)])
        else:
            report(mistake, node, findings)
        return None
    if query.name is not None:
        quoted = json.dumps(query.name)
        message = f"`{query.name}` is the field `this.{query.name}` of each message"
        hint = f"if it is the prompt itself, quote it: {_write(quoted)}"
        findings.add("bare-field", message, node, hint=hint, fixes=[_instead_of(node, quoted)])
    return node if isinstance(node.value, str) else made(text, node.span)


def report(mistake: object, node: Node, findings: Findings) -> None:
    """Records a mistake in a text at its characters."""
    from flowdsl_steps.expressions.bloblang import Mistake

    assert isinstance(mistake, Mistake)  # noqa: S101  imported where it is needed
    text = node.value if isinstance(node.value, str) else ""
    span = span_in(node, min(mistake.start, max(0, len(text) - 1)), min(mistake.end, len(text)))
    old, new = text[mistake.start : mistake.end], mistake.instead
    fix = None
    if new is not None:
        fix = instead(span, old, new, style=node.style) or (
            None if "\\" in new else _escaping(node, span.text, old, new, span)
        )
    findings.add("bloblang-syntax", mistake.message, span, hint=mistake.hint, fixes=[fix])


def _escaping(node: Node, found: str, old: str, new: str, span: object) -> Fix | None:
    """The same between double quotes of YAML, where quotes have a backslash."""
    if node.style != '"' or found != old:
        return None
    return Fix(f"write `{new}`", (Edit(span, new.replace('"', '\\"')),), False)  # type: ignore[arg-type]  # a span


def _has_variable(text: str, node: Node, what: str, findings: Findings) -> bool:
    found = _VARIABLE.search(text)
    if found is None:
        return False
    message = f"not supported here: a variable of the environment in `{what}`, which is a mapping of Bloblang"
    hint = "write its value, or take it from the messages"
    findings.add("not-supported", message, span_in(node, *found.span()), hint=hint)
    return True


def _as_mapping(found: object) -> str:
    """The query that gives what a text with `${! … }` gives."""
    from flowdsl_steps.expressions.bloblang import Interpolation

    assert isinstance(found, Interpolation)  # noqa: S101  imported where it is needed
    pieces = found.pieces
    if len(pieces) == 1 and pieces[0][1] is not None:
        return pieces[0][0].strip()
    written_parts = []
    for piece, query in pieces:
        if query is None:
            written_parts.append(json.dumps(piece, ensure_ascii=False))
        else:
            inner = piece.strip()
            written_parts.append(
                f"{inner}.string()" if re.fullmatch(r"[\w.]+(\([^()]*\))?", inner) else f"({inner}).string()"
            )
    return " + ".join(written_parts)


def _write(query: str) -> str:
    return f"write `{in_quotes(query)}`" if len(query) < _SHOWN else "write it as a query"


def _instead_of(node: Node, query: str) -> Fix | None:
    """A query in place of a text of one line."""
    if node.style in ("|", ">") or not stands(node) or "\n" in node.value:
        return None
    text = written(query, node.style)
    return replaced(node.span, text if text[0] in "'\"" else in_quotes(query))
