"""Steps that leave a loop or end its iteration: whether they stand in a loop that they can leave."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.checker.findings import Findings
from flowdsl.diagnostics import Related
from flowdsl.document.document import StepNode
from flowdsl.step.flow_shapes import Exit, Loop, Parallel
from flowdsl.step.signals import Signal

JUMPS = (Signal.BREAK, Signal.CONTINUE)
"""The signals that need a loop around them."""


def check_jumps(steps: Iterable[StepNode], findings: Findings, around: tuple[StepNode, ...] = ()) -> None:
    """Reports every step that would leave a loop and has none; `around` are the steps it stands in, outermost first."""
    for step in steps:
        flow = step.spec.flow
        if isinstance(flow, Exit) and flow.signal in JUMPS:
            _check_jump(step, flow.signal, findings, around)
        for block in step.blocks:
            check_jumps(block.steps, findings, (*around, step))


def _check_jump(step: StepNode, signal: Signal, findings: Findings, around: tuple[StepNode, ...]) -> None:
    name = step.spec.name
    barrier = next((outer for outer in reversed(around) if isinstance(outer.spec.flow, (Loop, Parallel))), None)
    if barrier is None:
        hint = _hint(signal, findings)
        findings.add("outside-loop", f"`{name}` stands outside a loop", step.name_node, hint=hint)
        return
    related = (Related(barrier.name_node.span, "this runs them side by side"),)
    if isinstance(barrier.spec.flow, Parallel):
        message = f"`{name}` cannot leave {barrier.spec.name}: its branches run side by side"
        findings.add("outside-loop", message, step.name_node, hint=_hint(signal, findings), related=related)
    elif signal is Signal.BREAK and isinstance(barrier.spec.flow, Loop) and side_by_side(barrier):
        message = f"`{name}` cannot stop iterations that run side by side"
        hint = one_at_a_time(barrier, "remove {}")
        for other in exits(findings, Signal.CONTINUE):
            hint += f", or write {other} to end this iteration only"
        findings.add("break-in-concurrent-loop", message, step.name_node, hint=hint, related=related)


def side_by_side(step: StepNode) -> bool:
    """Whether a loop can run iterations side by side."""
    flow = step.spec.flow
    if not isinstance(flow, Loop) or flow.concurrent is None:
        return False
    node = step.keys.get(flow.concurrent)
    value = node.value if node is not None else step.spec.defaults.get(flow.concurrent)
    return value is not None and value != 1


def one_at_a_time(step: StepNode, without: str) -> str:
    """What to do so that the iterations of a concurrent loop run in order; `without` says it of its key where that need
    only not be there, as `remove {}`."""
    flow = step.spec.flow
    key = flow.concurrent if isinstance(flow, Loop) else None
    return without.format(f"`{key}`") if step.spec.defaults.get(key or "", 1) == 1 else f"set `{key}: 1`"


def _hint(signal: Signal, findings: Findings) -> str | None:
    """Where such a step can stand, and what ends the run instead."""
    loops: dict[str, list[str]] = {}
    for name, flow in findings.settings.registry.shapes():
        if isinstance(flow, Loop):
            loops.setdefault(flow.body, []).append(name)
    if not loops:
        return None
    hint = "put it in " + " or ".join(f"the `{body}` of {' or '.join(names)}" for body, names in loops.items())
    if signal is Signal.BREAK:
        hint += "".join(f"; {name} ends the run" for name in exits(findings, Signal.END))
    return hint


def exits(findings: Findings, signal: Signal) -> list[str]:
    """The step, if there is one, that gives a signal."""
    found = findings.settings.registry.with_shape(lambda flow: isinstance(flow, Exit) and flow.signal is signal)
    return [found] if found is not None else []
