"""YAML's syntax errors in the words of an author: tabs, unquoted templates, indentation that fits nothing."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from flowdsl.diagnostics import Diagnostic, Related
from flowdsl.source import Source, Span

_TEMPLATE = re.compile(r"[:-]\s{1,99}(\{[{%])")
_VALUE_START = re.compile(r"(?:[\w.$-]\s*:|-)\s+$")
_NEAR = 200
"""How many characters, templates and lines are looked at around a slip: a hostile file must not take long."""
_KEY = re.compile(r"\s*(?:-\s+)?([\w.$-]+)\s*:(?:\s|$)")


def syntax_slip(source: Source, error: Any) -> Diagnostic:
    """The diagnostic for an exception of the YAML parser (`yaml.YAMLError`)."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return _unreadable(source, error)
    at = min(mark.index, len(source.text))
    line = source.position(at).line
    for number in (line, line - 1):
        if number >= 1 and (slip := unquoted_template(source, source.offset(number, 1))) is not None:
            return slip
    return (
        _tab(source, line)
        or _unclosed_quote(source, error)
        or _indentation(source, error, at)
        or _other(source, error, at)
    )


def mend(text: str, slip: Diagnostic) -> str | None:
    """The text with a slip worked around, every other character in its place; None when there is no way to go on.

    This lets one pass find the mistakes that stand behind a slip.
    """
    start, end = slip.span.start, slip.span.end
    if slip.code == "unquoted-template" and end - start >= 2:
        return text[:start] + '"' + "x" * (end - start - 2) + '"' + text[end:]
    if slip.code == "tab":
        return text[:start] + " " * (end - start) + text[end:]
    if slip.code in ("misnested-key", "indentation"):
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", end)
        last = len(text) if last < 0 else last
        return text[:first] + " " * (last - first) + text[last:]
    if slip.code == "unquoted-colon":
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
            return Diagnostic(
                "unquoted-template",
                "a value that starts with a template must be quoted",
                Span(source, start, start + len(value)),
                hint=f"write {text[:at].strip()} {quote}{value}{quote}"
                if quote not in value and len(text) <= _NEAR
                else "put the value under a `|` line",
            )
    return None


def _unreadable(source: Source, error: Any) -> Diagnostic:
    """A character that YAML does not allow: the parser names its place in bytes or characters."""
    found = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]", source.text)
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
    return Diagnostic("tab", "a tab cannot indent YAML", Span(source, start, end), hint="indent with spaces")


def _unclosed_quote(source: Source, error: Any) -> Diagnostic | None:
    if "quoted scalar" not in str(getattr(error, "context", "")) or error.context_mark is None:
        return None
    start = error.context_mark.index
    return Diagnostic(
        "yaml-syntax",
        "this quote is never closed",
        Span(source, start, start + 1),
        hint=f"close it with {source.text[start : start + 1]}",
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
        return Diagnostic("misnested-key", "a step starts with a dash", span, hint="write `- step:`")
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
        hint=f"indent it by {column} spaces",
        related=(related,),
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
            hint=f"indent it by {above_column} spaces",
        )
    return Diagnostic(
        "unquoted-colon",
        "a text with `: ` in it must be quoted",
        Span(source, at, at + 1),
        hint="put the whole value in quotes",
    )


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
