"""Which step of a flow somebody means who names it: by id, by the name of the step, by place or by line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flowdsl.nearest import nearest

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode

_DIGITS = 10


def steps_named(name: str, steps: Iterable[StepNode]) -> list[StepNode]:
    """The steps with this id or name, the one at this place (`flow[2]`), or the innermost one at this line
    (`a.flow.yaml:7`)."""
    steps = list(steps)
    for found in (
        [step for step in steps if step.id == name],
        [step for step in steps if step.spec.name == name],
        [step for step in steps if step.path == name],
    ):
        if found:
            return found
    file, colon, line = name.partition(":")
    number = line.partition(":")[0]
    if not colon or not number.isdecimal() or len(number) >= _DIGITS:
        return []
    there = [step for step in steps if step.node.span.path.endswith(file) and _holds(step, int(number))]
    return there[-1:]


def nearest_names(name: str, steps: Sequence[StepNode]) -> str:
    """What is said of a name that no step has: the one that is meant, or all that there are."""
    names = list(dict.fromkeys(known for step in steps for known in (step.id, step.spec.name, step.path) if known))
    near = nearest(name, names)
    return f"did you mean `{near}`?" if near else f"there are {', '.join(names) or 'none'}"


def _holds(step: StepNode, line: int) -> bool:
    span = step.node.span
    return span.first.line <= line <= span.last.line
