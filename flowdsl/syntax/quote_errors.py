"""Mistakes of quotes: a template or sign without them, a quote inside a quoted text, an escape that is none."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from flowdsl.diagnostics import Diagnostic, Edit, Fix
from flowdsl.source import Source, Span
from flowdsl.syntax.edits import in_brackets, line_end, value_at
from flowdsl.syntax.quoting import ESCAPED, entry, in_quotes, quoted, requoted, to_quote

_TEMPLATE = re.compile(r"[:-]\s{1,99}(?:[&!]\S{1,99}\s{1,99}){0,2}(\{[{%])")
_VALUE_START = re.compile(r"(?:[\w.$-]\s*:|-)\s+(?:[&!]\S{1,99}\s{1,99}){0,2}$")
_TEXT_IN_BRACKETS = re.compile(r"[\w.$'\"-]\s*:\s+([^\s'\"\[\]{}|>&*!,#][^'\"\[\]{},]*\{[{%])")
_GOES_ON = re.compile(r",\s*(?!(?:[\w.$-]+|'[^']*'|\"[^\"]*\")\s*:(?:\s|$))[^\s\]}]")
"""A comma behind which no key stands."""
_QUOTED = re.compile(r"(?:[\w.$-]\s*:\s+|-\s+|[\[{,]\s*)('(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\")$")
_NEAR = 200
"""How many characters and templates are looked at around an error: a hostile file must not take long."""


def unquoted_template(source: Source, offset: int) -> Diagnostic | None:
    """The diagnostic for a template that starts an unquoted value on the line of `offset`, if there is one."""
    position = source.position(offset)
    text = source.line(position.line)
    if text.lstrip().startswith("#"):
        return None
    for match in islice(_TEMPLATE.finditer(text), _NEAR):
        at = match.start(1)
        if _VALUE_START.search(text, max(0, at - _NEAR), at):
            span = value_at(source, source.offset(position.line, 1) + at)
            message = "a value that starts with a template must be quoted"
            return Diagnostic("unquoted-template", message, span, hint=to_quote(span), fixes=_these(quoted(span)))
    return _template_in_brackets(source, position.line)


def _template_in_brackets(source: Source, line: int) -> Diagnostic | None:
    """The diagnostic for a template inside an unquoted text that stands in brackets, where its braces are YAML's."""
    text = source.line(line)
    for match in islice(_TEXT_IN_BRACKETS.finditer(text), _NEAR):
        if in_brackets(text[: match.start(1)]):
            span = value_at(source, source.offset(line, 1) + match.start(1))
            while _GOES_ON.match(source.text, span.end):  # the text, not the map
                comma = re.compile(r",\s*").match(source.text, span.end)
                span = span._replace(end=value_at(source, comma.end()).end) if comma is not None else span
            message = "a text with a template in it must be quoted inside brackets"
            return Diagnostic("unquoted-template", message, span, hint=to_quote(span), fixes=_these(quoted(span)))
    return None


def quote_in_quotes(source: Source, error: Any, at: int) -> Diagnostic | None:
    """A quoted text that ends too early, because it holds its own quote."""
    line = source.offset(source.position(at).line, 1)
    before = source.text[max(line, at - 10 * _NEAR) : at].rstrip(" ")
    problem = str(getattr(error, "problem", ""))
    expected = "did not find expected" in problem or "cannot start any token" in problem
    if not expected or _QUOTED.search(before) is None:
        return None
    if "or '" in problem and source.text[at - 1] == " ":  # in brackets: a comma is missing
        return None
    quote = before[-1]
    start = source.text.rfind(quote, line, at)
    span = Span(source, start, start + 1)
    message = "this quote ends the text, and more follows"
    whole, is_bare = whole_text(span)
    if whole is not None and is_bare:
        return Diagnostic("quote-in-quotes", message, span, hint=to_quote(whole), fixes=_these(quoted(whole)))
    found = requoted(whole) if whole is not None else None
    if whole is None or found is None:
        other = "double" if quote == "'" else "single"
        hint = f"inside the text write {ESCAPED[quote]} for it, or put the whole text in {other} quotes"
        return Diagnostic("quote-in-quotes", message, span, hint=hint)
    shown, fix = found
    return Diagnostic("quote-in-quotes", message, span, hint=entry(whole, shown), fixes=(fix,))


def _in_a_tag(text: str, at: int) -> bool:
    """Whether the quote at a place stands in `{{ }}`, whose end follows: `"{{ "{{" }}"`."""
    opened = text.rfind("{{", 0, at) > text.rfind("}}", 0, at)
    return opened and text[at + 1 :].lstrip().startswith("}}")


def whole_text(end: Span) -> tuple[Span | None, bool]:
    """The text that the quote at `end` was not meant to end, with its quotes; None where its last one is not seen.

    And whether those belong to the text, as in `"red" or "blue"`.
    """
    source, quote, line = end.source, end.text, end.source.offset(end.first.line, 1)
    first = max(line, end.end - 10 * _NEAR)
    opened = _QUOTED.search(source.text[first : end.end])
    if opened is None:
        return None, False
    start, behind = first + opened.start(1), source.text[end.end : line_end(source.text, end.end)]
    bracketed = in_brackets(source.text[line:start])
    stop = r"\s*[,\]}]" if bracketed else r"\s*(?:\s#.*)?$"
    closing = islice(re.finditer(f"{quote}(?={stop})", behind), _NEAR)
    inside = source.text[start : end.end] + behind
    at = end.end - start
    close = next((found for found in closing if not _in_a_tag(inside, at + found.start())), None)
    whole = value_at(source, start) if close is None else Span(source, start, end.end + close.end())
    around = source.text[end.start - 1], source.text[end.end : end.end + 1]
    closes = not around[0].isspace() and around[0] != quote and not around[1].isalnum()
    if closes and whole.text.count(quote) % 2 == 0 and not (bracketed and close is None):
        return whole, True
    return (None, False) if close is None else (whole, False)


def text_in_brackets(source: Source, error: Any, at: int) -> Diagnostic | None:
    """A text that begins with brackets, which make it a list or a map for YAML: `[wide] a street`, `{city} at dawn`."""
    line = source.offset(source.position(at).line, 1)
    before = source.text[max(line, at - _NEAR) : at]
    found = _BRACKETED.search(before)
    if found is None or "did not find expected" not in str(getattr(error, "problem", "")):
        return None
    value = value_at(source, at - len(before) + found.start(1))
    name = re.match(r"\{\s*((?:flowContext|inputs)\.[\w.]+)\s*\}", value.text)
    sign = value.text[0]
    message = f"a text cannot start with {sign}: it begins a {'map' if sign == '{' else 'list'}"
    span = value._replace(end=value.start + 1)
    if name is None:
        return Diagnostic("unquoted-sign", message, span, hint=to_quote(value), fixes=_these(quoted(value)))
    template = in_quotes(f"{{{{ {name[1]} }}}}{value.text[name.end() :]}")
    fix = Fix("write it as a template, in quotes", (Edit(value, template),))
    return Diagnostic("unquoted-sign", message, span, hint=entry(value, template), fixes=(fix,))


_BRACKETED = re.compile(r"(?:[\w.$-]\s*:|-)\s+(\[[^][{}]*\]|\{[^][{}]*\})\s*$")
_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_MEANT = r"\\[n\"\\]|\\u[0-9a-fA-F]{4}"


def escape(source: Source, error: Any, at: int) -> Diagnostic | None:
    """A backslash that means nothing: most often that of a path or a pattern."""
    problem = str(getattr(error, "problem", ""))
    if "escape" not in problem and "expected hexdecimal" not in problem:
        return None
    opened = getattr(getattr(error, "context_mark", None), "index", 0)
    start = source.text.rfind("\\", opened, at + 1)
    if start < 0:  # in a tag, `%` escapes
        return None
    half = _HALF.match(source.text, start)
    if half is not None:
        hint = "write the other half behind it, as JSON does, or the character itself"
        message = f"{half[0]} is half of a character"
        return Diagnostic("yaml-syntax", message, Span(source, start, half.end()), hint=hint)
    span = Span(source, start, start + len(source.text[start : start + 2]))
    message = f"{span.text} means nothing in double quotes"
    whole = re.compile(r"\"(?:[^\"\\\r\n]|\\.)*\"").match(source.text, opened)
    found = requoted(Span(source, *whole.span()), raw=_is_raw(whole[0][1:-1])) if whole is not None else None
    if whole is None or found is None:
        fix = Fix("write \\\\ for the backslash", (Edit(span._replace(end=start), "\\"),), safe=True)
        hint = "write \\\\ for a backslash, or put the text in single quotes"
        return Diagnostic("yaml-syntax", message, span, hint=hint, fixes=(fix,))
    shown, fix = found
    return Diagnostic("yaml-syntax", message, span, hint=entry(Span(source, *whole.span()), shown), fixes=(fix,))


def _is_raw(text: str) -> bool:
    """Whether all backslashes of a text are meant as they are: those of a path that begins with a drive, and those of a
    text without an escape that nobody writes by chance."""
    drive = re.match(r"[A-Za-z]:\\", text) is not None and '\\"' not in text
    return drive or re.search(_MEANT, text) is None


def _these(fix: Fix | None) -> tuple[Fix, ...]:
    return () if fix is None else (fix,)
