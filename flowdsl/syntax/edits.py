"""Edits of a text: the fixes that need no nodes, as those of syntax errors.

No edit copies a part of the file, so that a secret in the file shows in no fix; what they write is a name, a sign or a
number that the hint says as well.
"""

from __future__ import annotations

import re

from flowdsl.diagnostics import Edit, Fix
from flowdsl.source import Source, Span
from flowdsl.syntax.quoting import TEXTS

_SIGNS = r"\s#|[][{},]"  # not compiled here: only a file with mistakes needs it
_MOST_LINES = 1_000
"""How many lines move with the one they belong to, at most."""


def replaced(at: Span, text: str, *, title: str | None = None, safe: bool = False) -> Fix:
    """Other characters in place of those of a span."""
    return Fix(title or f"write `{text}`", (Edit(at, text),), safe)


def instead(at: Span, old: str, new: str, *, style: str | None = None, safe: bool = False) -> Fix | None:
    """Other characters in place of known ones inside a scalar of some style.

    None when the place holds others, as where an escape spells them, or when the new ones would need escapes there.
    """
    unfit = "\\" in new or (style is not None and style in new)
    return replaced(at, new, safe=safe) if at.text == old and not unfit else None


def value_at(source: Source, start: int) -> Span:
    """The value that begins at a place and ends with its line, a comment left out, or with the brackets around it."""
    text = source.text[start : line_end(source.text, start)]
    line = source.offset(source.position(start).line, 1)
    bracketed, depth, end = in_brackets(source.text[line:start]), 0, len(text)
    for found in re.finditer(_SIGNS, text):
        sign = found[0]
        if depth == 0 and (sign[0].isspace() or (bracketed and sign in ",]}")):
            end = found.start()
            break
        depth += (sign in "{[") - (sign in "}]")
    return Span(source, start, start + len(text[:end].rstrip()))


def in_brackets(before: str) -> bool:
    """Whether brackets are open behind some characters of a line; quoted texts are none."""
    bare = re.sub(TEXTS, "", before)
    return sum(bare.count(sign) for sign in "{[") > sum(bare.count(sign) for sign in "}]")


def removed_lines(source: Source, start: int, end: int, *, title: str = "remove it", safe: bool = False) -> Fix:
    """The text without the lines that hold the characters from `start` to `end`."""
    return Fix(title, (Edit(lines_of(source, start, end), ""),), safe)


def indented(
    source: Source, line: int, columns: int, *, title: str | None = None, dash: bool = False, beside: bool = False
) -> Fix:
    """A line moved to another column, with the lines below that stand deeper; `dash` makes it the start of an item,
    and moves with it the lines that stand as deep; so does `beside` as far as they are no items."""
    first = source.line(line)
    now = len(first) - len(first.lstrip())
    edits = [Edit(_indentation(source, line), " " * columns + ("- " if dash else ""))]
    for number in range(line + 1, line + _MOST_LINES):
        if source.offset(number, 1) >= len(source.text) or number > source.position(len(source.text)).line:
            break
        text = source.line(number)
        deep = len(text) - len(text.lstrip())
        with_it = deep == now and (dash or beside) and not text.lstrip().startswith("- ")
        if text.strip() and deep <= now and not with_it:
            break
        if text.strip():
            edits.append(Edit(_indentation(source, number), " " * (deep - now + columns + 2 * dash)))
    return Fix(title or f"indent it to {columns} spaces", tuple(edits))


def line_break(source: Source) -> str:
    """The line end that a text has."""
    return "\r\n" if "\r\n" in source.text else "\n"


def _indentation(source: Source, line: int) -> Span:
    start = source.offset(line, 1)
    text = source.line(line)
    return Span(source, start, start + len(text) - len(text.lstrip(" \t")))


def line_end(text: str, at: int) -> int:
    """Where the line of a place ends, its line end left out."""
    ends = [end for end in (text.find("\n", at), text.find("\r", at)) if end >= 0]
    return min(ends, default=len(text))


def lines_of(source: Source, start: int, end: int) -> Span:
    """The whole lines of some characters, with the last one's line end."""
    text = source.text
    first = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    last = line_end(text, end)
    return Span(source, first, last + (2 if text.startswith("\r\n", last) else 1 if last < len(text) else 0))
