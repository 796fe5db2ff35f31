"""What would change in a file, as a unified diff for people and for `patch`."""

from __future__ import annotations

from difflib import unified_diff

from flowdsl.source import Source

_MOST = 3_000
"""In how many lines a smaller difference is looked for; where more differ, they are shown as one change."""


def difference(source: Source, text: str) -> str:
    """The lines that differ in a text that takes the place of a source. A secret of the file is hidden, as in findings;
    line ends and marks at the start of the file show nowhere."""
    before = source.hide(source.text).splitlines()
    after = source.hide(text).splitlines()
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(old), len(new)) > _MOST:
        head = f"@@ -{start + 1},{len(old)} +{start + 1},{len(new)} @@"
        lines = [f"--- {source.path}", f"+++ {source.path}", head, *(f"-{line}" for line in old)]
        lines += [f"+{line}" for line in new]
    else:
        first, last = max(start - 3, 0), len(before) - max(end - 3, 0)
        lines = list(unified_diff(before[first:last], after[first : len(after) - max(end - 3, 0)], n=3, lineterm=""))
        lines = [f"--- {source.path}", f"+++ {source.path}", *(_moved(line, first) for line in lines[2:])]
    if len(lines) == 2:
        lines.append("@@ other line ends, or a byte order mark, or none @@")
    return "\n".join(lines) + "\n"


def _alike(one: list[str], other: list[str]) -> int:
    """How many lines two texts begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _moved(line: str, by: int) -> str:
    """A head of lines, with the place that they have in the file."""
    import re

    if not line.startswith("@@") or not by:
        return line
    return re.sub(r"([-+])(\d+)", lambda found: f"{found[1]}{int(found[2]) + by}", line.replace(" @@", "", 1)) + " @@"
