"""Spaces that look like one and are none to YAML, such as the no-break space that web pages and editors put in."""

from __future__ import annotations

import re
from itertools import islice

from flowdsl.diagnostics import Diagnostic, Edit, Fix
from flowdsl.source import Source, Span

FOREIGN_SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""The spaces of Unicode that are text in YAML."""
_SPACES = re.compile(f"[{FOREIGN_SPACES}]+")
_LINE = re.compile(f"^ *(?=[{FOREIGN_SPACES}])([ {FOREIGN_SPACES}]+)(?=(?:- |[\\w.$-]+:(?:[ \\n]|$)))", re.MULTILINE)
_MOST = 1000
"""How many lines are looked at: a hostile file must not take long."""
_OPENS_TEXT = re.compile(r"(?:^|[\s:-])[|>][+-]?\d?[+-]?\s*(?:\s#.*)?$")


def named(char: str) -> str:
    """A character by its number and name: `U+00A0, no-break space`."""
    import unicodedata

    return f"U+{ord(char):04X}, {unicodedata.name(char, 'which nobody sees').lower()}"


def foreign_indentation(source: Source) -> tuple[str, Diagnostic] | None:
    """The text with spaces in place of the foreign ones that indent its lines, every other character in its place, and
    the finding about them; None where there are none."""
    text = source.text
    if not any(space in text for space in FOREIGN_SPACES):
        return None
    found = [line for line in islice(_LINE.finditer(text), _MOST) if not _in_text(text, line.start())]
    places = [odd.span() for line in found for odd in _SPACES.finditer(text, line.start(1), line.end(1))]
    if not places:
        return None
    parts, at = [], 0
    for start, end in places:
        parts += [text[at:start], " " * (end - start)]
        at = end
    text = "".join([*parts, text[at:]])
    start, end = places[0]
    edits = tuple(Edit(Span(source, start, end), " " * (end - start)) for start, end in places)
    fix = Fix("indent with spaces", edits, safe=True)
    message = f"{named(source.text[start])}, cannot indent YAML"
    span = Span(source, start, end)
    return text, Diagnostic("indentation", message, span, hint="indent with spaces", fixes=(fix,))


def _in_text(text: str, at: int) -> bool:
    """Whether the line at a place belongs to a text of several lines: one below `|` or `>`, or in quotes. Where that
    would take long to find out, it is taken for one."""
    depth = len(text[at : at + _MOST]) - len(text[at : at + _MOST].lstrip(" "))
    for _ in range(_MOST):
        if at <= 0:
            return False
        start = text.rfind("\n", 0, at - 1) + 1
        line = text[start : at - 1]
        above = len(line) - len(line.lstrip(" "))
        at = start
        if not line.strip():
            continue
        if line.count('"') % 2 or (line.count("'") % 2 and re.search(r"[:\-]\s+'", line)):
            return True
        if above < depth and _OPENS_TEXT.search(line):
            return True
        if above == 0:
            return False
        depth = min(depth, above)
    return True
