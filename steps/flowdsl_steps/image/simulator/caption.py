"""The words on a simulated picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caption:
    """The prompt as a title, and a small note about the request."""

    title: str
    note: str


def caption_of(prompt: str, model: str, size: str, quality: str, digest: str) -> Caption:
    """The caption of a request; the title keeps what Pillow's built-in font can show."""
    return Caption(_showable(prompt), f"simulated · {model} · {size} · {quality} · {digest[:8]}")


def _showable(prompt: str) -> str:
    # The built-in font has ASCII and a few signs: accents are dropped, other scripts leave an ellipsis.
    plain = unicodedata.normalize("NFKD", " ".join(prompt.split()))
    kept = "".join(c for c in plain if " " <= c <= "~" or c in "‘’“”…·°«»")
    return " ".join(kept.split()) or "…"


def wrap(text: str, measure: Callable[[str], float], width: float, *, limit: int) -> list[str]:
    """The text in at most `limit` lines no wider than `width`; what is left over becomes an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if measure(longer) <= width or not line:
            line = longer
            continue
        lines.append(line)
        line = word
        if len(lines) == limit:
            break
    else:
        return [*lines, _cut(line, measure, width, more=False)]
    return [*lines[:-1], _cut(lines[-1], measure, width, more=True)]


def _cut(line: str, measure: Callable[[str], float], width: float, *, more: bool) -> str:
    if measure(line + "…" * more) <= width:
        return line + "…" * more
    keep = len(line)
    while keep > 1 and measure(line[:keep] + "…") > width:
        keep -= max(1, keep // 16)
    return line[:keep] + "…"
