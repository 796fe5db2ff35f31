"""Did you mean: the nearest of some names."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar name, or None when nothing is close enough to be a likely slip."""
    folded = _fold(name)
    best: tuple[int, str] | None = None
    for candidate in names:
        distance = _distance(folded, _fold(candidate))
        if (
            candidate != name
            and distance <= max(1, min(len(folded), len(candidate)) // 3)
            and (best is None or distance < best[0])
        ):
            best = (distance, candidate)
    return best[1] if best else None


def _fold(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def _distance(a: str, b: str) -> int:
    """Edits (insert, delete, replace, swap of neighbours) between two names; long names are cut."""
    a, b = a[:64], b[:64]
    if abs(len(a) - len(b)) > 8:
        return 99
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
