"""BREAK and CONTINUE: whether they stand in a loop that they can leave."""

from __future__ import annotations

from flowdsl.checker.findings import Findings
from flowdsl.diagnostics import Related
from flowdsl.document.document import StepNode

JUMPS = ("BREAK", "CONTINUE")
"""The steps that need a loop around them."""


def check_jumps(steps: list[StepNode], findings: Findings, around: tuple[StepNode, ...] = ()) -> None:
    """Reports every BREAK and CONTINUE that has no loop to leave; `around` are the steps they stand in, outermost
    first."""
    for step in steps:
        if step.spec.name in JUMPS:
            _check_jump(step, findings, around)
        for block in step.blocks.values():
            check_jumps(block, findings, (*around, step))


def _check_jump(step: StepNode, findings: Findings, around: tuple[StepNode, ...]) -> None:
    name = step.spec.name
    barrier = next((outer for outer in reversed(around) if outer.spec.shape in ("loop", "parallel")), None)
    if barrier is None:
        findings.add("outside-loop", f"`{name}` stands outside a loop", step.name_node, hint=_hint(name))
        return
    related = (Related(barrier.name_node.span, "this runs them side by side"),)
    if barrier.spec.shape == "parallel":
        message = f"`{name}` cannot leave {barrier.spec.name}: its branches run side by side"
        findings.add("outside-loop", message, step.name_node, hint=_hint(name), related=related)
    elif name == "BREAK" and _side_by_side(barrier):
        message = "`BREAK` cannot stop passes that run side by side"
        hint = "remove `concurrency`, or write CONTINUE to end this pass only"
        findings.add("break-in-concurrent-loop", message, step.name_node, hint=hint, related=related)


def _side_by_side(loop: StepNode) -> bool:
    """Whether a loop can run more than one pass at a time."""
    node = loop.keys.get("concurrency")
    return node is not None and node.value is not None and node.value != 1


def _hint(name: str) -> str:
    hint = "put it in the `do` of FOR or WHILE"
    return hint if name == "CONTINUE" else f"{hint}; END ends the run"
