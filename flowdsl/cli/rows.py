"""What runs at a moment: a row for each step, with its place in the loops around it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from flowdsl.display.visible import visible_line
from flowdsl.events import Progress, StepFailed, StepFinished, StepStarted

if TYPE_CHECKING:
    from flowdsl.events import Event, Invocation

_MOST_AT_ONCE = 256
"""How many iterations of one loop run side by side at most; what came before them is over."""


class Row:
    """A step that runs: when it began, its monitorLabel, and the last progress that it emitted."""

    __slots__ = ("began", "invocation", "label", "progress")

    def __init__(self, event: StepStarted) -> None:
        self.invocation = event
        self.began = perf_counter()
        self.label = one_line(event.label or "")
        self.progress = ""


class Rows:
    """The steps that run, by invocation, in the order in which they began; and what their loops are about."""

    def __init__(self) -> None:
        self.running: dict[int, Row] = {}
        self._loops: dict[int, tuple[int, int]] = {}
        self._items: dict[tuple[int, int], str] = {}

    def take(self, event: Event) -> None:
        """Follows an event. A step that ends is gone when its line is written: `place` still knows its loops."""
        if isinstance(event, StepStarted):
            self.running[event.id] = Row(event)
        elif isinstance(event, (StepFinished, StepFailed)):
            self.running.pop(event.invocation.id, None)
            self._loops.pop(event.invocation.id, None)
        elif isinstance(event, Progress):
            id = event.invocation.id
            if event.item is not None:
                self._loops[id] = event.done or 0, event.total or 0
                self._items[id, event.item] = one_line(event.text)
                self._items.pop((id, event.item - _MOST_AT_ONCE), None)
            elif id in self.running:
                self.running[id].progress = progress_text(event)

    def name(self, invocation: Invocation) -> str:
        """A step with the iterations it stands in, from the outermost on: `SET 2/3 Lisbon, 7/20 dusk`."""
        places = []
        at: Invocation | None = invocation
        while at is not None and at.parent is not None:
            if at.iteration is not None:
                places.append(self._place(at.parent.id, at.iteration))
            at = at.parent
        return f"{invocation.step} {', '.join(reversed(places))}".rstrip()

    def lines(self, *, innermost: bool = False) -> list[str]:
        """A line for each row; with `innermost` only for steps in which no other one runs."""
        now = perf_counter()
        around = {row.invocation.parent.id for row in self.running.values() if innermost and row.invocation.parent}
        return [self._line(row, now) for id, row in self.running.items() if id not in around]

    def clear(self) -> None:
        """Forgets everything."""
        self.running.clear()

    def _place(self, loop: int, iteration: int) -> str:
        _, total = self._loops.get(loop, (0, 0))
        number = f"{iteration + 1}/{total}" if total else f"{iteration + 1}"
        text = self._items.get((loop, iteration), "")
        return f"{number} {text}" if text and text != str(iteration + 1) else number

    def _line(self, row: Row, now: float) -> str:
        loop = self._loops.get(row.invocation.id)
        done = "" if loop is None else f" {loop[0]}/{loop[1]} done" if loop[1] else f" {loop[0]} done"
        said = " · ".join(filter(None, (row.label, row.progress)))
        return f"{self.name(row.invocation)}{done} {now - row.began:.1f} s {said}".rstrip()


def progress_text(event: Progress) -> str:
    """What a step says of its progress, on one line."""
    text = one_line(event.text)
    counted = event.total is not None and event.done is not None
    return f"{text} ({event.done}/{event.total})" if counted else text


def one_line(text: str) -> str:
    """A text that steers no terminal, on one line."""
    return visible_line(" ".join(text.split()))
