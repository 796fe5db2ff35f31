"""A table of measurements: each row a time, its ratio to the row of reference, and the ratio to aim for."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


class Row(NamedTuple):
    """One line: what was measured, its figures as texts, a ratio in words, and the target for that ratio."""

    name: str
    figures: tuple[str, ...]
    ratio: str = ""
    target: str = ""


def show(title: str, columns: tuple[str, ...], rows: list[Row]) -> None:
    """Prints a table; `columns` head the figures."""
    cells = [("", *columns, "ratio", "target"), *((row.name, *row.figures, row.ratio, row.target) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    print(f"\n{title}")
    for line in cells:
        name, *figures, ratio, target = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        shown = [figure.strip().rjust(len(figure)) for figure in figures]
        print("  " + "  ".join((name, *shown, ratio, target)).rstrip())


def duration(seconds: float) -> str:
    """A time with three digits in the unit that fits: `0.19 µs`, `36.5 ms`."""
    unit, size = next(((unit, size) for unit, size in UNITS if seconds >= size), UNITS[-1])
    value = seconds / size
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def best(measured: Callable[[], object], repeats: int) -> float:
    """The shortest time of several calls in seconds: what the machine's other work disturbed least."""
    times = []
    for _ in range(repeats):
        began = perf_counter()
        measured()
        times.append(perf_counter() - began)
    return min(times)
