"""YAML's syntax errors in the words of an author: tabs, unquoted templates, indentation that fits nothing."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from flowdsl.diagnostics import Diagnostic, Edit, Fix, Related
from flowdsl.source import Source, Span
from flowdsl.syntax.edits import line_break, removed_lines, replaced, value_at
from flowdsl.syntax.foreign_spaces import FOREIGN_SPACES, named
from flowdsl.syntax.indentation_errors import indentation, keys_column, value_around
from flowdsl.syntax.quote_errors import escape, quote_in_quotes, text_in_brackets, unquoted_template, whole_text
from flowdsl.syntax.quoting import entry, in_quotes, quoted, to_quote

_NEAR = 200
"""How many characters, templates and lines are looked at around an error: a hostile file must not take long."""


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
        or quote_in_quotes(source, error, at)
        or text_in_brackets(source, error, at)
        or _unquoted_sign(source, error, at)
        or escape(source, error, at)
        or _unclosed_quote(source, error)
        or _unclosed_bracket(source, error, at)
        or indentation(source, error, at)
        or _no_key(source, error)
        or _other(source, error, at)
    )


_RESTORED = frozenset({"unquoted-template", "quote-in-quotes", "unquoted-sign", "unquoted-colon"})
"""The mistakes of a text whose quotes are wrong or missing."""


def recover(text: str, mistake: Diagnostic, restored: dict[int, tuple[int, int]]) -> str | None:
    """The text with an error worked around, every other character in its place; None when there is no way to go on.

    This lets one pass find the mistakes that stand behind an error. Of a text with wrong quotes only the place is kept:
    `restored` says for its start where its characters stand, which its node gets back, so that they are checked too.
    """
    start, end = mistake.span.start, mistake.span.end
    if mistake.code in _RESTORED:
        start, end, chars = _wrong_text(mistake.span._replace(source=Source(text)), mistake.code)
    if mistake.code in _RESTORED and end - start >= 2:
        restored[start] = chars
        return text[:start] + '"' + "x" * (end - start - 2) + '"' + text[end:]
    if mistake.code == "tab":
        return text[:start] + " " * (end - start) + text[end:]
    if mistake.code in ("misnested-key", "indentation"):
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", end)
        last = len(text) if last < 0 else last
        if mistake.fixes:  # the lines that move with it cannot stand alone
            last = text.find("\n", max(last - 1, *(edit.span.end for edit in mistake.fixes[0].edits)))
            last = len(text) if last < 0 else last
        return text[:first] + re.sub(r"[^\n]", " ", text[first:last]) + text[last:]
    if mistake.code == "yaml-syntax" and text[start:end] == "//":
        return text[:start] + "# " + text[end:]
    if mistake.code in ("unquoted-colon", "unquoted-sign", "quote-in-quotes"):
        return text[:start] + "_" + text[start + 1 :]
    return None


def _wrong_text(at: Span, code: str) -> tuple[int, int, tuple[int, int]]:
    """Where a text with wrong quotes begins and ends in the file, and where its characters do."""
    start, end = at.start, at.end
    if code == "quote-in-quotes":
        whole, is_bare = whole_text(at)
        if whole is not None:
            inside = 0 if is_bare else 1
            return whole.start, whole.end, (whole.start + inside, whole.end - inside)
    elif code == "unquoted-sign":
        end = value_at(at.source, start).end
        return start, end, (start + 1, end)  # the sign itself says nothing more
    elif code == "unquoted-colon" and (value := value_around(at)) is not None:
        start, end = value.start, value.end
    return start, end, (start, end)


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
    spaces = " " * (keys_column(source, line) - at if not text[:at].strip() else 1)
    fix = replaced(span, spaces or " ", title="indent with spaces")
    return Diagnostic("tab", "a tab cannot indent YAML", span, hint="indent with spaces", fixes=(fix,))


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
    value = value_at(source, at)
    hint, fixes = to_quote(value), _these(quoted(value))
    return Diagnostic(
        "unquoted-sign", f"a text cannot start with {sign}", Span(source, at, at + 1), hint=hint, fixes=fixes
    )


def _these(fix: Fix | None) -> tuple[Fix, ...]:
    return () if fix is None else (fix,)


def _no_key(source: Source, error: Any) -> Diagnostic | None:
    """A line of text where a key must stand, and what follows `|` or `>` on its line."""
    context, problem = str(getattr(error, "context", "")), str(getattr(error, "problem", ""))
    if "scanning a block scalar" in context and "comment or line break" in problem:
        return _text_on_the_line(source, error.context_mark.index)
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


def _text_on_the_line(source: Source, start: int) -> Diagnostic:
    """A text on the line of its `|` or `>`: with lines below it goes down to them, alone it needs quotes only."""
    value = value_at(source, start)
    sign = re.match(r"([|>][-+0-9]{0,2})\s*", value.text)
    behind = value._replace(start=start + (sign.end() if sign is not None else 1))
    line = behind.first.line
    below = source.line(line + 1) if line < source.position(len(source.text)).line else ""
    indentation = len(below) - len(below.lstrip())
    own = source.line(line)
    shown = sign[1] if sign is not None else source.text[start]
    if below.strip() and indentation > len(own) - len(own.lstrip()):
        hint = f"put a line break behind `{shown}`, and indent the text as the lines below it"
        text = line_break(source) + " " * indentation
        fix: Fix | None = replaced(Span(source, start + len(shown), behind.start), text, title="put it on its own line")
    else:
        quotes = quoted(behind)
        cut = Edit(Span(source, start, behind.start), "")
        hint = entry(value, in_quotes(behind.text))
        fix = Fix("put it in quotes", (cut, *quotes.edits)) if quotes is not None else None
    message, at = f"the text of `{shown}` starts on the next line", Span(source, start, start + 1)
    return Diagnostic("yaml-syntax", message, at, hint=hint, fixes=_these(fix))


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


def _other(source: Source, error: Any, at: int) -> Diagnostic:
    problem = str(getattr(error, "problem", None) or "this is not YAML")
    context = getattr(error, "context", None)
    message = problem.replace("did not find expected", "expected") + (f" ({context})" if context else "")
    end = at + 1 if at < len(source.text) else at
    return Diagnostic("yaml-syntax", f"this is not YAML: {message}", Span(source, at, end))
