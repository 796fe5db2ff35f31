"""Where a step stands, from the outermost step around it to itself; and how steps of which nobody knows what of them
comes to pass may end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from flowdsl.step.flow_shapes import Call, Exit, Loop, Try
from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.document.document import BlockNode, Document, Module, StepNode

Ends: TypeAlias = "frozenset[Literal['on'] | Signal | None]"
"""The ways in which steps may end: going `on`, by a signal, or by an error on purpose (None)."""
GOES_ON: Final[Ends] = frozenset({"on"})


class Place(NamedTuple):
    """A place in a list of steps: that of a block of a step, or that of the flow itself."""

    steps: Sequence[StepNode]
    number: int
    owner: StepNode | None
    block: BlockNode | None


def trail(
    steps: Sequence[StepNode], step: StepNode, owner: StepNode | None = None, block: BlockNode | None = None
) -> list[Place]:
    """The places that lead to a step, the outermost first; none when it is not in these steps."""
    for number, each in enumerate(steps):
        here = Place(steps, number, owner, block)
        if each is step:
            return [here]
        for inner in each.blocks:
            if found := trail(inner.steps, step, each, inner):
                return [here, *found]
    return []


def possible(
    document: Document, step: StepNode, module: Module | None = None, active: tuple[Sequence[StepNode], ...] = ()
) -> Ends:
    """How a step, of which something or nothing may come to pass, may end."""
    flow = step.spec.flow
    if isinstance(flow, Exit):
        return frozenset({"on", flow.signal})
    ends: set[Literal["on"] | Signal | None] = {"on"}
    if isinstance(flow, Call):
        called = document.called(step, module)
        if called is None:
            return frozenset({"on", Signal.END, None})
        steps, inner = called
        if steps not in active:
            for each in steps:
                ends |= possible(document, each, inner, (*active, steps)) & {Signal.END, None}
        return frozenset(ends)
    for block in step.blocks:
        found = {end for each in block.steps for end in possible(document, each, module, active)}
        if isinstance(flow, Loop):
            found -= {Signal.BREAK, Signal.CONTINUE}
        if isinstance(flow, Try) and block.key == flow.body:
            found -= {None}
        ends |= found
    return frozenset(ends)
