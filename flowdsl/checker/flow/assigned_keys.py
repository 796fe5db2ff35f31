"""Which FlowContext keys steps write, looked at without following any path."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.document.document import StepNode
from flowdsl.syntax.node import Node


def first_writes(steps: Iterable[StepNode], found: dict[str, Node] | None = None) -> dict[str, Node]:
    """Every FlowContext key that steps, or steps inside them, write → the first place that does; added to `found`."""
    found = {} if found is None else found
    for step in steps:
        for name, node in step.writes():
            found.setdefault(name, node)
        for block in step.blocks:
            first_writes(block.steps, found)
    return found
