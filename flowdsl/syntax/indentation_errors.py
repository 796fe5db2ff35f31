"""Mistakes of indentation: a line that fits nothing above it, and the step that it most likely belongs to."""

from __future__ import annotations

import re
from typing import Any

from flowdsl.diagnostics import Diagnostic, Related
from flowdsl.source import Source, Span
from flowdsl.syntax.edits import indented, value_at
from flowdsl.syntax.quoting import quoted, to_quote

_KEY = re.compile(r"\s*(?:-\s+)?([\w.$-]+)\s*:(?:\s|$)")
_NEAR = 200
"""How many lines are looked at above a mistake: a hostile file must not take long."""


def indentation(source: Source, error: Any, at: int) -> Diagnostic | None:
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
    above = _block_step_above(source, line) if _opens(source, line) else _beside(source, line)
    above = above or _step_above(source, line)
    if match.group(1) == "step" and not text.lstrip().startswith("-"):
        columns = len(text) - len(text.lstrip())
        fix = indented(source, line, columns, title="write `- step:`", dash=True)
        return Diagnostic("misnested-key", "a step starts with a dash", span, hint="write `- step:`", fixes=(fix,))
    if above is None or text.lstrip().startswith("-"):
        return _unaligned(source, line, span)
    column, related = above
    return Diagnostic(
        "misnested-key",
        f"`{match.group(1)}` belongs inside the step above, and its indentation puts it outside",
        span,
        hint=f"indent it to {column} spaces",
        related=(related,),
        fixes=(indented(source, line, column, beside=True),),
    )


def _unaligned(source: Source, line: int, span: Span) -> Diagnostic:
    """A line between the columns of the lines above it: it is lined up with the nearest of those that still go on."""
    text = source.line(line)
    now, is_item = len(text) - len(text.lstrip()), text.lstrip().startswith("-")
    columns, innermost = list[int](), len(source.text)
    for number in range(line - 1, max(0, line - _NEAR), -1):
        above = source.line(number)
        column = len(above) - len(above.lstrip())
        if not above.strip() or above.lstrip().startswith("#") or column >= innermost:
            continue
        dashed = above.lstrip().startswith("- ")
        if dashed is is_item:
            columns.append(column)
        elif dashed and column + 2 < innermost:  # the keys of an item stand behind its dash
            columns.append(column + 2)
        innermost = column
    message = "the indentation of this line fits nothing above it"
    if not columns:
        return Diagnostic("indentation", message, span, hint="line it up with the lines it belongs to")
    column = min(columns, key=lambda each: abs(each - now))  # of two as near the inner one
    fix = indented(source, line, column, beside=not is_item)
    return Diagnostic("indentation", message, span, hint=f"indent it to {column} spaces", fixes=(fix,))


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
    value = value_around(Span(source, at, at + 1))
    fix = quoted(value, title="put the whole value in quotes") if value is not None else None
    return Diagnostic(
        "unquoted-colon",
        "a text with `: ` in it must be quoted",
        Span(source, at, at + 1),
        hint=to_quote(value) if value is not None else "put the whole value in quotes",
        fixes=(fix,) if fix is not None else (),
    )


def value_around(at: Span) -> Span | None:
    """The value of a line that holds a place; None where there is none."""
    line = at.first.line
    before = _VALUE.match(at.source.line(line))
    value = value_at(at.source, at.source.offset(line, 1) + before.end()) if before is not None else None
    return value if value is not None and value.start < at.start < value.end else None


_VALUE = re.compile(r"\s*(?:-\s+)*(?:[\w.$-]+\s*:\s+)")


def _opens(source: Source, line: int) -> bool:
    """Whether the key of a line holds the list below it: `then:`, and steps."""
    behind = source.text[source.offset(line, 1) :].partition("\n")[2]
    return source.line(line).rstrip().endswith(":") and re.match(r"\s*-\s", behind) is not None


def _beside(source: Source, line: int) -> tuple[int, Related] | None:
    """The step above of which the line above is a key, where that one is deeper: the key is one of the same step."""
    before = next((source.line(number) for number in range(line - 1, 0, -1) if source.line(number).strip()), "")
    column = len(before) - len(before.lstrip())
    text = source.line(line)
    if column <= len(text) - len(text.lstrip()) or _KEY.match(before) is None or before.lstrip().startswith("-"):
        return None
    for number in range(line - 1, max(0, line - _NEAR), -1):
        match = _STEP.match(source.line(number))
        if match and len(match[1]) == column:
            start = source.offset(number, 1) + match.start(2)
            return column, Related(Span(source, start, start + len(match[2])), "the step above")
    return None


def _block_step_above(source: Source, line: int) -> tuple[int, Related] | None:
    """The same for the last step above that holds a list of steps already: `else:` stands beside its `then:`."""
    opened: set[int] = set()
    for number in range(line - 1, max(0, line - _NEAR), -1):
        text = source.line(number)
        match = _STEP.match(text)
        if match and len(match[1]) in opened:
            start = source.offset(number, 1) + match.start(2)
            return len(match[1]), Related(Span(source, start, start + len(match[2])), "the step above")
        if _opens(source, number):
            opened.add(len(text) - len(text.lstrip()))
    return None


_STEP = re.compile(r"(\s*-\s+)step\s*:\s*(\S+)")


def _step_above(source: Source, line: int) -> tuple[int, Related] | None:
    """The column of the keys of the last step that starts above a line, and where it starts."""
    for number in range(line - 1, max(0, line - _NEAR), -1):
        match = _STEP.match(source.line(number))
        if match:
            start = source.offset(number, 1) + match.start(2)
            return len(match.group(1)), Related(Span(source, start, start + len(match.group(2))), "the step above")
    return None


def keys_column(source: Source, line: int) -> int:
    """The column of the keys of the step above a line; 2 where there is none."""
    above = _step_above(source, line)
    return above[0] if above is not None else 2
