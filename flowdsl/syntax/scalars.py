"""Where the characters of a scalar's value stand in the file: undoes quotes, escapes, folding and indentation."""

from __future__ import annotations

import re
from itertools import pairwise

from flowdsl.source import Span
from flowdsl.syntax.node import Node, content_start


def span_in(node: Node, start: int, end: int) -> Span:
    """The characters `start` to `end` of a text node's value, as they stand in the file.

    When the value cannot be traced back character by character, the whole node.
    """
    text = node.source.text
    if isinstance(node.value, str):
        simple = content_start(node) + (1 if node.style in ("'", '"') else 0)
        if node.style not in ("|", ">") and text.startswith(node.value, simple):
            return Span(node.source, simple + start, simple + max(end, start + 1))
        places = _places(node)
        if places is not None and start < len(places):
            last = places[min(end, len(places)) - 1] if end > start else places[start]
            return Span(node.source, places[start], last + 1)
    return node.span


def _places(node: Node) -> list[int] | None:
    """For each character of the value its offset in the file, or None when they do not match."""
    text, start, value = node.source.text, content_start(node), node.value
    if node.style in ("|", ">"):
        pairs = _block(text, start, node.end, value, node.style == ">")
    else:
        pairs = _flow(text, start, node.end, node.style)
    traced = "".join(char for char, _ in pairs)
    if value.rstrip("\n") != traced.rstrip("\n"):
        return None
    places = [place for _, place in pairs]
    return places + [node.end] * (len(value) - len(places))


def _flow(text: str, start: int, end: int, style: str | None) -> list[tuple[str, int]]:
    """The characters of a plain or quoted scalar with their offsets."""
    at, stop = (start + 1, end - 1) if style else (start, end)
    pairs: list[tuple[str, int]] = []
    while at < stop:
        char = text[at]
        if char in "\r\n":
            at = _fold(text, at, stop, pairs)
        elif style == "'" and char == "'":
            pairs.append(("'", at))
            at += 2
        elif style == '"' and char == "\\":
            at = _escape(text, at, stop, pairs)
        else:
            pairs.append((char, at))
            at += 1
    return pairs


def _fold(text: str, at: int, stop: int, pairs: list[tuple[str, int]]) -> int:
    """One line break is a space, more are one fewer breaks; white space around them goes."""
    while pairs and pairs[-1][0] in " \t":
        pairs.pop()
    breaks = 0
    first = at
    while at < stop and text[at] in " \t\r\n":
        breaks += text[at] == "\n" or (text[at] == "\r" and text[at + 1 : at + 2] != "\n")
        at += 1
    pairs.extend([(" ", first)] if breaks == 1 else [("\n", first)] * (breaks - 1))
    return at


_ESCAPES = dict(zip('0abtnvfre "/\\N_LP\t', '\0\a\b\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029\t', strict=True))
PAIR = r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
"""A character above U+FFFF as JSON escapes it: in two halves."""


def character(pair: re.Match[str]) -> str:
    """The character of two halves."""
    return bytes.fromhex(pair[1] + pair[2]).decode("utf-16-be")


_HEX = {"x": 2, "u": 4, "U": 8}


def _escape(text: str, at: int, stop: int, pairs: list[tuple[str, int]]) -> int:
    code = text[at + 1]
    if code in "\r\n":
        at += 1
        while at < stop and text[at] in " \t\r\n":
            at += 1
        return at
    if code in _HEX:
        if (whole := re.compile(PAIR).match(text, at)) is not None:
            pairs.append((character(whole), at))
            return whole.end()
        digits = text[at + 2 : at + 2 + _HEX[code]]
        pairs.append((chr(int(digits, 16)), at))
        return at + 2 + len(digits)
    pairs.append((_ESCAPES.get(code, code), at))
    return at + 2


_LINE = r"([^\r\n]*)(?:\r\n?|\n|$)"


def _block(text: str, start: int, end: int, value: str, folded: bool) -> list[tuple[str, int]]:
    """The characters of a `|` or `>` scalar with their offsets."""
    rest_of_line = re.compile(_LINE)
    header = rest_of_line.match(text, start)
    lines: list[tuple[int, str]] = []
    at = header.end() if header is not None else end
    while at < end and (match := rest_of_line.match(text, at)) is not None:
        lines.append((at, match.group(1)))
        at = match.end()
    # The value shows how much of the first line's indentation is text: an indentation indicator can make it so.
    indent = next((_spaces(line) for _, line in lines if line.strip()), 0)
    indent -= next((_spaces(line) for line in value.split("\n") if line.strip()), 0)
    contents = [(place + indent, line[indent:]) for place, line in lines]
    pairs: list[tuple[str, int]] = []
    for (place, line), following in pairwise([*contents, (end, "")]):
        pairs.extend(zip(line, range(place, place + len(line)), strict=True))
        if following[0] != end or following[1]:
            pairs.append(("\n", place + len(line)))
    return _folded(pairs) if folded else pairs


def _spaces(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _folded(pairs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Joins lines as `>` does: a break between two text lines is a space, blank lines are the breaks that stay."""
    result: list[tuple[str, int]] = []
    index = 0
    while index < len(pairs):
        char, place = pairs[index]
        if char != "\n":
            result.append((char, place))
            index += 1
            continue
        run = index
        while run < len(pairs) and pairs[run][0] == "\n":
            run += 1
        count = run - index
        indented = (run < len(pairs) and pairs[run][0] in " \t") or _line_is_indented(pairs, index)
        if run == len(pairs) or indented or not result:
            result.extend(pairs[index:run])
        else:
            result.extend([(" ", place)] if count == 1 else pairs[index + 1 : run])
        index = run
    return result


def _line_is_indented(pairs: list[tuple[str, int]], end: int) -> bool:
    start = end
    while start > 0 and pairs[start - 1][0] != "\n":
        start -= 1
    return start < end and pairs[start][0] in " \t"
