"""YAML's syntax errors in the words of an author: tabs, unquoted templates, indentation that fits nothing."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from flowdsl.diagnostics import Diagnostic, Edit, Fix, Related
from flowdsl.source import Source, Span
from flowdsl.syntax.edits import indented, line_end, quoted, removed_lines, replaced, value_at
from flowdsl.syntax.foreign_spaces import FOREIGN_SPACES, named

_TEMPLATE = re.compile(r"[:-]\s{1,99}(?:[&!]\S{1,99}\s{1,99}){0,2}(\{[{%])")
_VALUE_START = re.compile(r"(?:[\w.$-]\s*:|-)\s+(?:[&!]\S{1,99}\s{1,99}){0,2}$")
_QUOTED = re.compile(r"(?:[\w.$-]\s*:\s+|-\s+|[\[{,]\s*)(?:'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\")$")
_NEAR = 200
"""How many characters, templates and lines are looked at around an error: a hostile file must not take long."""
_KEY = re.compile(r"\s*(?:-\s+)?([\w.$-]+)\s*:(?:\s|$)")


def syntax_mistake(source: Source, error: Any) -> Diagnostic:
    """The diagnostic for an exception of the YAML parser (`yaml.YAMLError`)."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return _unreadable(source, error)
    at = min(mark.index, len(source.text))
    line = source.position(at).line
    for number in (line, line - 1):
        if number >= 1 and (mistake := unquoted_template(source, source.offset(number, 1))) is not None:
            return mistake
    return (
        _tab(source, line)
        or _comment(source, line)
        or _missing_space(source, line)
        or _unquoted_sign(source, error, at)
        or _escape(source, error, at)
        or _unclosed_quote(source, error)
        or _quote_in_quotes(source, error, at)
        or _unclosed_bracket(source, error, at)
        or _indentation(source, error, at)
        or _no_key(source, error)
        or _other(source, error, at)
    )


def recover(text: str, mistake: Diagnostic) -> str | None:
    """The text with an error worked around, every other character in its place; None when there is no way to go on.

    This lets one pass find the mistakes that stand behind an error.
    """
    start, end = mistake.span.start, mistake.span.end
    if mistake.code == "unquoted-template" and end - start >= 2:
        return text[:start] + '"' + "x" * (end - start - 2) + '"' + text[end:]
    if mistake.code == "tab":
        return text[:start] + " " * (end - start) + text[end:]
    if mistake.code in ("misnested-key", "indentation"):
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", end)
        last = len(text) if last < 0 else last
        return text[:first] + " " * (last - first) + text[last:]
    if mistake.code == "yaml-syntax" and text[start:end] == "//":
        return text[:start] + "# " + text[end:]
    if mistake.code in ("unquoted-colon", "unquoted-sign", "quote-in-quotes"):
        return text[:start] + "_" + text[start + 1 :]
    return None


def unquoted_template(source: Source, offset: int) -> Diagnostic | None:
    """The diagnostic for a template that starts an unquoted value on the line of `offset`, if there is one."""
    position = source.position(offset)
    text = source.line(position.line)
    if text.lstrip().startswith("#"):
        return None
    for match in islice(_TEMPLATE.finditer(text), _NEAR):
        at = match.start(1)
        if _VALUE_START.search(text, max(0, at - _NEAR), at):
            start = source.offset(position.line, 1) + at
            value = text[at:].rstrip()
            quote = '"' if '"' not in value else "'"
            span = Span(source, start, start + len(value))
            return Diagnostic(
                "unquoted-template",
                "a value that starts with a template must be quoted",
                span,
                hint=f"write {text[:at].strip()} {quote}{value}{quote}"
                if quote not in value and len(text) <= _NEAR
                else "put the value under a `|` line",
                fixes=_these(quoted(span)),
            )
    return None


def _unreadable(source: Source, error: Any) -> Diagnostic:
    """A character that YAML does not allow: the parser names its place in bytes or characters."""
    found = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]", source.text)
    start = found.start() if found else 0
    what = f"the character U+{ord(found.group()):04X} is not allowed in YAML" if found else str(error).splitlines()[0]
    return Diagnostic(
        "yaml-syntax", what, Span(source, start, start + 1), hint="remove it, or write it as an escape in double quotes"
    )


def _tab(source: Source, line: int) -> Diagnostic | None:
    text = source.line(line)
    indentation = text[: len(text) - len(text.lstrip())]
    at = indentation.find("\t")
    if at < 0:
        match = re.match(r"\s*(?:-\s*|[\w.$-]+:\s*)(\t)", text)
        if match is None:
            return None
        at = match.start(1)
        indentation = text[: match.end(1)]
    start = source.offset(line, 1) + at
    end = start + len(indentation) - at
    span = Span(source, start, end)
    spaces = " " * (_keys_column(source, line) - at if not text[:at].strip() else 1)
    fix = replaced(span, spaces or " ", title="indent with spaces")
    return Diagnostic("tab", "a tab cannot indent YAML", span, hint="indent with spaces", fixes=(fix,))


def _keys_column(source: Source, line: int) -> int:
    """The column of the keys of the step above a line; 2 where there is none."""
    above = _step_above(source, line)
    return above[0] if above is not None else 2


def _unclosed_quote(source: Source, error: Any) -> Diagnostic | None:
    if "quoted scalar" not in str(getattr(error, "context", "")) or error.context_mark is None:
        return None
    start = error.context_mark.index
    quote = source.text[start : start + 1]
    span = Span(source, start, start + 1)
    end = value_at(source, start)._replace(start=value_at(source, start).end)
    fix = replaced(end, quote, title="close it at the end of the line")
    return Diagnostic("yaml-syntax", "this quote is never closed", span, hint=f"close it with {quote}", fixes=(fix,))


def _comment(source: Source, line: int) -> Diagnostic | None:
    """A comment of another language, on the line or above it: there it is taken for text."""
    for number in range(line, max(0, line - _NEAR), -1):
        text = source.line(number)
        if text.lstrip().startswith("//"):
            start = source.offset(number, 1) + text.index("//")
            span = Span(source, start, start + 2)
            fix = replaced(span, "#", safe=True)
            return Diagnostic("yaml-syntax", "a comment starts with #", span, hint="write #", fixes=(fix,))
        if number < line and text.strip():
            return None
    return None


def _missing_space(source: Source, line: int) -> Diagnostic | None:
    """A dash or a `step:` that YAML does not see, on the line or above it, because no space follows."""
    for number in range(line, max(0, line - 2), -1):
        text = source.line(number)
        match = _NO_SPACE.match(text)
        if match is not None:
            start, end = (source.offset(number, 1) + place for place in match.span(1))
            dash, key, value = match.group(2, 3, 4)
            behind = "the colon" if key.endswith(":") and value and not value.startswith(" ") else "the dash"
            what = f"a space is missing behind {behind}" if key.endswith(":") else "a colon is missing behind `step`"
            right = f"write `{dash.strip()} step: {value.strip()}`".replace(": `", ":`")
            value_start = source.offset(number, 1) + match.start(4)
            fix = replaced(
                Span(source, start, value_start), f"- step:{' ' * (value[:1] != ' ')}", title=right, safe=True
            )
            return Diagnostic("yaml-syntax", what, Span(source, start, end), hint=right, fixes=(fix,))
    return None


_NO_SPACE = re.compile(r"\s*((?=-step\b|-\s+step:\S|-\s+step\s+\S)(-\s*)(step:?)(\s*[\w-]{0,99}))\s*$")


def _unquoted_sign(source: Source, error: Any, at: int) -> Diagnostic | None:
    """A text that starts with a sign which means something else in YAML."""
    sign, problem = source.text[at : at + 1], str(getattr(error, "problem", ""))
    if source.text.startswith("```", at):
        hint = "remove the line: it belongs to Markdown"
        fences = islice(re.finditer(r"^[ \t]*```", source.text, re.MULTILINE), _NEAR)
        edits = (removed_lines(source, found.start(), found.end()).edits[0] for found in fences)
        fix = Fix("remove the lines with ```", tuple(edits), safe=True)
        return Diagnostic("yaml-syntax", "``` is not YAML", Span(source, at, at + 3), hint=hint, fixes=(fix,))
    if "scanning an alias" in str(getattr(error, "context", "")):
        at, sign = error.context_mark.index, "*"
    elif "cannot start any token" not in problem or not sign.strip():
        return None
    hint = "put the whole value in quotes"
    fixes = _these(quoted(value_at(source, at)))
    return Diagnostic(
        "unquoted-sign", f"a text cannot start with {sign}", Span(source, at, at + 1), hint=hint, fixes=fixes
    )


def _these(fix: Fix | None) -> tuple[Fix, ...]:
    return () if fix is None else (fix,)


_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _escape(source: Source, error: Any, at: int) -> Diagnostic | None:
    problem = str(getattr(error, "problem", ""))
    if "escape" not in problem and "expected hexdecimal" not in problem:
        return None
    start = source.text.rfind("\\", 0, at + 1)
    half = _HALF.match(source.text, start)
    if half is not None:
        hint = "write the other half behind it, as JSON does, or the character itself"
        message = f"{half[0]} is half of a character"
        return Diagnostic("yaml-syntax", message, Span(source, start, half.end()), hint=hint)
    hint = "write \\\\ for a backslash, or put the text in single quotes"
    shown = source.text[start : start + 2]
    fix = replaced(Span(source, start, start), "\\", title="write \\\\ for the backslash", safe=True)
    span = Span(source, start, start + len(shown))
    return Diagnostic("yaml-syntax", f"{shown} means nothing in double quotes", span, hint=hint, fixes=(fix,))


def _no_key(source: Source, error: Any) -> Diagnostic | None:
    """A line of text where a key must stand, and what follows `|` or `>` on its line."""
    context, problem = str(getattr(error, "context", "")), str(getattr(error, "problem", ""))
    if "scanning a block scalar" in context and "comment or line break" in problem:
        start = error.context_mark.index
        sign = source.text[start : start + 1]
        message = f"the text of `{sign}` starts on the next line"
        hint = f"put a line break behind `{sign}` and indent the text, or put the whole value in quotes"
        fixes = _these(quoted(value_at(source, start), title="put the whole value in quotes"))
        return Diagnostic("yaml-syntax", message, Span(source, start, start + 1), hint=hint, fixes=fixes)
    if "scanning a simple key" not in context or error.context_mark is None:
        return None
    start = error.context_mark.index
    text = source.text[start:].partition("\n")[0].rstrip()
    key, colon, value = text.partition(":")
    odd = re.match(rf"[\w.$-]+:([{FOREIGN_SPACES}]+)", text)
    if odd is not None:
        space = Span(source, start + odd.start(1), start + odd.end(1))
        message = f"{named(odd[1][0])}, stands behind the colon, where YAML needs a space"
        fix = replaced(space, " ", title="put a space behind the colon", safe=True)
        hint = f"write a space in its place: `{key}: {text[odd.end() :]}`"
        return Diagnostic("yaml-syntax", message, space, hint=hint, fixes=(fix,))
    glued = bool(colon and value and re.fullmatch(r"[\w.$-]+", key))
    hint = f"write `{key}: {value}`" if glued else "write `key: value`; the lines of a text below `|` are indented"
    message = "a space is missing behind the colon" if glued else "this line is no key with a value"
    behind = start + len(key) + 1
    fix = replaced(Span(source, behind, behind), " ", title="put a space behind the colon", safe=True)
    span = Span(source, start, start + len(text))
    return Diagnostic("yaml-syntax", message, span, hint=hint, fixes=(fix,) if glued else ())


def _quote_in_quotes(source: Source, error: Any, at: int) -> Diagnostic | None:
    """A quoted text that ends too early, because it holds its own quote."""
    line = source.offset(source.position(at).line, 1)
    before = source.text[max(line, at - 10 * _NEAR) : at].rstrip(" ")
    problem = str(getattr(error, "problem", ""))
    if "did not find expected" not in problem or _QUOTED.search(before) is None:
        return None
    if "or '" in problem and source.text[at - 1] == " ":  # in brackets: a comma is missing
        return None
    quote = before[-1]
    start = source.text.rfind(quote, line, at)
    inside, other = ("''", "double") if quote == "'" else ('\\"', "single")
    span = Span(source, start, start + 1)
    return Diagnostic(
        "quote-in-quotes",
        "this quote ends the text, and more follows",
        span,
        fixes=_these(_inner_quotes(source, start, quote, inside)),
        hint=f"inside the text write {inside} for it, or put the whole text in {other} quotes",
    )


def _inner_quotes(source: Source, start: int, quote: str, inside: str) -> Fix | None:
    """Every quote from the one that ends the text too early to the last but one of the line, written as in a text."""
    text = source.text[start : line_end(source.text, start)]
    places = [start + found.start() for found in islice(re.finditer(quote, text), _NEAR)][:-1]
    edits = tuple(Edit(Span(source, place, place + 1), inside) for place in places)
    return Fix(f"write {inside} inside the text", edits) if edits else None


def _unclosed_bracket(source: Source, error: Any, at: int) -> Diagnostic | None:
    problem = str(getattr(error, "problem", ""))
    closing = next((sign for sign in "]}" if f"expected ',' or '{sign}'" in problem), None)
    if closing is None or error.context_mark is None:
        return None
    start = error.context_mark.index
    related = (Related(Span(source, at, at + 1), f"here a `,` or `{closing}` is missing"),)
    return Diagnostic(
        "yaml-syntax",
        f"this `{source.text[start : start + 1]}` is not closed",
        Span(source, start, start + 1),
        hint=f"close it with `{closing}`; items are separated by `,`",
        related=related if at < len(source.text.rstrip()) else (),
        fixes=(
            replaced(value_at(source, start)._replace(start=value_at(source, start).end), closing, title="close it"),
        ),
    )


def _indentation(source: Source, error: Any, at: int) -> Diagnostic | None:
    """A line that fits no list or map above it."""
    problem = str(getattr(error, "problem", ""))
    if "mapping values are not allowed" in problem:
        return _nested_value(source, at)
    if "did not find expected" not in problem or not ("block" in problem or "'-'" in problem or "key" in problem):
        return None
    line = source.position(at).line
    text = source.line(line)
    match = _KEY.match(text)
    if match is None:
        return None
    start = source.offset(line, 1) + match.start(1)
    span = Span(source, start, start + len(match.group(1)))
    above = _step_above(source, line)
    if match.group(1) == "step" and not text.lstrip().startswith("-"):
        columns = len(text) - len(text.lstrip())
        fix = indented(source, line, columns, title="write `- step:`", dash=True)
        return Diagnostic("misnested-key", "a step starts with a dash", span, hint="write `- step:`", fixes=(fix,))
    if above is None or text.lstrip().startswith("-"):
        return Diagnostic(
            "indentation",
            "the indentation of this line fits nothing above it",
            span,
            hint="line it up with the lines it belongs to",
        )
    column, related = above
    return Diagnostic(
        "misnested-key",
        f"`{match.group(1)}` belongs inside the step above, and its indentation puts it outside",
        span,
        hint=f"indent it to {column} spaces",
        related=(related,),
        fixes=(indented(source, line, column),),
    )


def _nested_value(source: Source, at: int) -> Diagnostic:
    """`key: value` where only a value can stand: a second colon in a text, or a key that is indented too far."""
    line = source.position(at).line
    text = source.line(line)
    match = _KEY.match(text)
    start = source.offset(line, 1)
    previous = next((n for n in range(line - 1, 0, -1) if source.line(n).strip()), 0)
    indentation = len(text) - len(text.lstrip())
    above = source.line(previous) if previous else ""
    above_column = len(above) - len(above.lstrip()) + (2 if above.lstrip().startswith("- ") else 0)
    if match and start + match.end() >= at and previous and indentation > above_column:
        span = Span(source, start + match.start(1), start + match.end(1))
        return Diagnostic(
            "indentation",
            f"`{match.group(1)}` is indented too far: the line above already has its value",
            span,
            hint=f"indent it to {above_column} spaces",
            fixes=(indented(source, line, above_column),),
        )
    value = _VALUE.match(text)
    fix = quoted(value_at(source, start + value.end()), title="put the whole value in quotes") if value else None
    return Diagnostic(
        "unquoted-colon",
        "a text with `: ` in it must be quoted",
        Span(source, at, at + 1),
        hint="put the whole value in quotes",
        fixes=_these(fix),
    )


_VALUE = re.compile(r"\s*(?:-\s+)*(?:[\w.$-]+\s*:\s+)")


def _step_above(source: Source, line: int) -> tuple[int, Related] | None:
    """The column of the keys of the last step that starts above a line, and where it starts."""
    for number in range(line - 1, max(0, line - _NEAR), -1):
        match = re.match(r"(\s*-\s+)step\s*:\s*(\S+)", source.line(number))
        if match:
            start = source.offset(number, 1) + match.start(2)
            return len(match.group(1)), Related(Span(source, start, start + len(match.group(2))), "the step above")
    return None


def _other(source: Source, error: Any, at: int) -> Diagnostic:
    problem = str(getattr(error, "problem", None) or "this is not YAML")
    context = getattr(error, "context", None)
    message = problem.replace("did not find expected", "expected") + (f" ({context})" if context else "")
    end = at + 1 if at < len(source.text) else at
    return Diagnostic("yaml-syntax", f"this is not YAML: {message}", Span(source, at, end))
