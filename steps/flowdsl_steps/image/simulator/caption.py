"""The words on a simulated picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Measure = Callable[[str], float]

_EAST_ASIAN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff00-\uffef"
_PIECE = re.compile(rf" ?(?:[{_EAST_ASIAN}]|[^ {_EAST_ASIAN}]+)")
"""What a line is not broken in: a word, or a sign of a script that has no spaces; with the space before it."""


@dataclass(frozen=True, slots=True)
class Caption:
    """The prompt as a title, and a small note about the request."""

    title: str
    note: str


def caption_of(prompt: str, model: str, size: str, quality: str, digest: str) -> Caption:
    """The caption of a request."""
    return Caption(" ".join(prompt.split()), f"simulated · {model} · {size} · {quality} · {digest[:8]}")


def wrap(text: str, measure: Measure, width: float, *, limit: int) -> list[str]:
    """The text in at most `limit` lines no wider than `width`.

    What does not fit is left out of the middle: prompts of a loop begin alike, and what is each one's own stands at
    their end. A single line keeps its beginning.
    """
    lines = _lines(_PIECE.findall(text), measure, width)
    if len(lines) <= limit:
        return [_cut(line, measure, width) for line in lines]
    if limit == 1:
        return [_cut(lines[0] + " " + lines[1], measure, width)]
    head = (limit - 1) // 2 or 1
    tail = _lines(_PIECE.findall(text)[::-1], lambda line: measure(line.strip()), width, backwards=True)[: limit - head]
    begin = [*lines[: head - 1], _ellipsis(lines[head - 1], measure, width)]
    return [_cut(line, measure, width) for line in (*begin, *reversed(tail))]


def _lines(pieces: list[str], measure: Measure, width: float, *, backwards: bool = False) -> list[str]:
    lines: list[str] = []
    line = ""
    for piece in pieces:
        longer = piece + line if backwards else line + piece
        if line and measure(longer) > width:
            lines.append(line.strip())
            line = piece
        else:
            line = longer
    return [*lines, line.strip()]


def _ellipsis(line: str, measure: Measure, width: float) -> str:
    while measure(line + "…") > width and " " in line:
        line = line.rpartition(" ")[0]
    return line + "…"


def _cut(line: str, measure: Measure, width: float) -> str:
    if measure(line) <= width:
        return line
    keep = len(line)
    while keep > 1 and measure(line[:keep] + "…") > width:
        keep -= max(1, keep // 16)
    return line[:keep].rstrip("… ") + "…"
