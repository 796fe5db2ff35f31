"""Texts that are written as another language writes them, and that are only text here.

Asked for a text that holds one of a few signs.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import TYPE_CHECKING, Final

from flowdsl.checker.findings import Findings
from flowdsl.syntax.edits import instead, replaced
from flowdsl.syntax.quoting import entry, in_quotes
from flowdsl.syntax.scalars import span_in
from flowdsl.template.problems import CURLED

if TYPE_CHECKING:
    from flowdsl.step.key import Key
    from flowdsl.syntax.node import Node

_DOLLAR: Final = re.compile(r"\$\{\{-?\s{0,9}([\w.$]{1,99})")
_SUM: Final = re.compile(r"price|cost|amount|total|sum|usd|fee", re.I)
_BRACES: Final = re.compile(r"(?<![{$])\{\s{0,9}([A-Za-z_]\w{0,60})\s{0,9}\}(?!\})")
_PERCENT: Final = re.compile(r"%0?(\d{0,2})[dis]")
_NAME: Final = r"((?:(?:flowContext|inputs)\.)?[A-Za-z_]\w{0,60})"
_PLACEHOLDERS: Final = tuple(
    re.compile(pattern.replace("NAME", _NAME))
    for pattern in (
        r"%\(NAME\)[sdif]",
        r"[$#]\{NAME\}",
        r"\$\(NAME\)",
        r"(?<![\w$\\])\$NAME\b(?!\()",
        r"\[\[\s{0,9}NAME\s{0,9}\]\]",
        r"<%=?\s{0,9}NAME\s{0,9}%>",
        r"<NAME>",
        r"%NAME%",
        r"(?<!\w)__((?!_)\w{1,60}?)__(?!\w)",
    )
)
"""How other languages write that a value is put in."""
_QUOTES: Final = {"“": "”", "„": "“", "‘": "’", "«": "»"}
_TAG: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED: Final = re.compile(r"""f(["'])(.*)\1""", re.S)


def check_text(node: Node, key: Key | None, written: Container[str], findings: Findings) -> None:
    """Adds to `findings` what of the text of an option stays text, and is most likely not meant so.

    `written` are the FlowContext keys that steps of the document set.
    """
    text = str(node.value)
    if text == "None" and node.style is None:
        null = replaced(node.span, "null")
        message = "`None` is a text here, and is printed as it stands"
        findings.add("foreign-syntax", message, node, hint="write `null`", fixes=[null])
    elif node.style is None and (found := _QUOTED.fullmatch(text)) is not None:
        _formatted(node, found[2], written, findings)
    elif node.style is None and len(text) > 1 and text[0] in _QUOTES and text[-1] in (_QUOTES[text[0]], *"'\""):
        meant = _TAG.sub(lambda tag: "".join(CURLED.get(char, char) for char in tag[0]), text[1:-1])
        fix = replaced(node.span, in_quotes(meant), title="write the quotes of YAML")
        message = f"the quotes {text[0]} {text[-1]} are a part of the text"
        findings.add("foreign-syntax", message, node, hint=entry(node.span, in_quotes(meant)), fixes=[fix])
    else:
        _inside(node, text, key, written, findings)


def _inside(node: Node, text: str, key: Key | None, written: Container[str], findings: Findings) -> None:
    for found in _DOLLAR.finditer(text):
        if not _SUM.search(found[1]):
            span = span_in(node, found.start(), found.start() + 1)
            message = "this `$` stays in the text: a template begins with its braces"
            cut = replaced(span, "", title="remove the `$`") if span.text == "$" else None
            findings.add("foreign-syntax", message, span, hint="remove the `$`", fixes=[cut])
    check_placeholders(node, text, key, written, findings)
    names = key.names if key is not None else ()
    for found in _BRACES.finditer(text):
        name = found[1]
        known = name if name in names else f"flowContext.{name}" if name in written else None
        if known is not None and name not in findings.placeholders:
            span, new = span_in(node, *found.span()), f"{{{{ {known} }}}}"
            starts = found.start() == 0 and node.style is None  # there two braces would be a map
            whole = in_quotes(f"{new}{text[found.end() :]}")
            fix = replaced(node.span, whole) if starts else instead(span, found[0], new, style=node.style)
            message = f"`{found[0]}` stays as it is: a template has two braces"
            hint = f"write `{whole if starts else new}`"
            findings.add("single-braces", message, span, hint=hint, fixes=[fix])
    if "index" in names and (number := _PERCENT.search(text)) is not None:
        span = span_in(node, *number.span())
        width = f" | string | padStart({number[1]}, '0')" if number[1] else ""
        new = f"{{{{ index{width} }}}}"
        message = f"`{number[0]}` stays as it is: a number is put in by a template"
        fix = instead(span, number[0], new, style=node.style)
        findings.add("foreign-syntax", message, span, hint=f"write `{new}`", fixes=[fix])


def check_placeholders(node: Node, text: str, key: Key | None, written: Container[str], findings: Findings) -> None:
    """Adds to `findings` each name that is put in as other languages do it, where something here has that name: any
    other text of that form may be meant as it is, such as a tag of HTML."""
    bare = _TAG.sub(lambda tag: " " * len(tag[0]), text)
    for pattern in _PLACEHOLDERS:
        for found in pattern.finditer(bare):
            known = _known(found[1], key, written, findings, braced=found[0].startswith("${"))
            if known is None or _is_meant(found, bare):
                continue
            span, new = span_in(node, *found.span()), f"{{{{ {known} }}}}"
            starts = found.start() == 0 and node.style is None  # there two braces would be a map
            whole = in_quotes(f"{new}{text[found.end() :]}")
            fix = replaced(node.span, whole) if starts else instead(span, found[0], new, style=node.style)
            message = f"`{found[0]}` stays as it is: a value is put in by a template"
            if found[0][1:] in {f"{{{name}}}" for name in findings.placeholders}:
                message = f"the `{found[0][0]}` stays in the text: a value is put in by a template"
            hint = f"write `{whole if starts else new}`"
            findings.add("foreign-syntax", message, span, hint=hint, fixes=[fix])


def _known(name: str, key: Key | None, written: Container[str], findings: Findings, *, braced: bool) -> str | None:
    """How a template reads a name; None for one that nothing has."""
    root, dot, rest = name.partition(".")
    if dot:
        inputs = findings.placeholders - findings.settings.variables
        if braced:
            return None  # which `templates` reports
        return name if (rest in written if root == "flowContext" else rest in inputs) else None
    if key is not None and name in key.names:
        return name
    if name in written:
        return f"flowContext.{name}"
    return f"inputs.{name}" if name in findings.placeholders and name not in findings.settings.variables else None


def _is_meant(found: re.Match[str], text: str) -> bool:
    """Whether a text is of a language that has such signs itself: HTML and XML close their tags, GraphQL says of what
    type a variable is."""
    if found[0].startswith("<") and not found[0].startswith("<%"):
        return "</" in text or "/>" in text
    return found[0].startswith("$") and found[0][1] not in "{(" and re.search(r"\$\w+\s{0,9}:", text) is not None


def _formatted(node: Node, inside: str, written: Container[str], findings: Findings) -> None:
    """Reports `f"…"`, whose names in braces become templates where they are known."""

    def template(found: re.Match[str]) -> str:
        root = found[1].partition(".")[0]
        name = found[1] if root in ("flowContext", "inputs") else f"flowContext.{found[1]}"
        return f"{{{{ {name} }}}}"

    new = re.sub(r"\{\s*([A-Za-z_][\w.]*)\s*\}", template, inside)
    fix = replaced(node.span, in_quotes(new), title="write it as a template")
    message = 'this text begins with `f"`: there are no formatted texts here'
    findings.add("foreign-syntax", message, node, hint=f"write `{in_quotes(new)}`", fixes=[fix])
