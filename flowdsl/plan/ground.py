"""What is known at the place that a plan has come to: of the values there, and of the blocks around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from flowdsl.engine.foreseen_options import ForeseenOptions
from flowdsl.engine.known import Known
from flowdsl.errors import FlowError
from flowdsl.step.rules import UNKNOWN

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.engine.frame import Frame
    from flowdsl.plan.spending import Ways

MOST_STEPS: Final = 5_000
"""How many steps are followed one by one; what remains of loops is multiplied."""


class Ground:
    """What is known at one place. `around` are the iterations around it in words, `often` the counts of the loops
    around that only the run knows, `uncertain` is how many blocks are around that not every run comes to."""

    def __init__(self, frame: Frame) -> None:
        self.run = frame.run
        self.known = Known(frame)
        self.options = ForeseenOptions(frame.run)
        self.steps_left = MOST_STEPS
        self.uncertain = 0
        self.around: list[str] = []
        self.often: list[str] = []

    def value(self, step: StepNode, name: str) -> Any:
        """The value that an option will have; UNKNOWN where only the run knows it, or where it fails."""
        try:
            if not self.known.knows(step.keys[name], step.spec.keys.get(name)):
                return UNKNOWN
            return self.known.value(step, name)
        except FlowError:
            return UNKNOWN

    def apart(self, follow: Callable[[], Ways]) -> Ways:
        """What a function gives that follows steps on a copy of what is known, whose changes are its own."""
        before, self.known = self.known, self.known.branched()
        try:
            ways: Ways = follow()
        finally:
            self.known = before
        return ways

    @contextmanager
    def perhaps(self) -> Iterator[None]:
        """While something is followed that not every run comes to."""
        self.uncertain += 1
        try:
            yield
        finally:
            self.uncertain -= 1
