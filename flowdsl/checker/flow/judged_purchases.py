"""A block that is repeated after a failure, and fails by what it bought: its repetitions would get the same again."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.checker.findings import Findings
from flowdsl.diagnostics import Related
from flowdsl.document.document import StepNode
from flowdsl.document.symbols import read_by
from flowdsl.step.flow_shapes import Exit, Try
from flowdsl.syntax.node import Node


def check_judged(step: StepNode, flow: Try, retry: Node, findings: Findings) -> None:
    """Reports a `retry` that does not buy again, where a failure of the block depends on what was bought in it."""
    if retry.kind != "map" or flow.anew is None or flow.anew.partition(":")[0] in retry.value:
        return
    judge = _judge(step.block(flow.body), set(), False)
    if judge is not None:
        findings.add(
            "judged-purchase",
            f"this {judge.spec.name} depends on what was paid for, which `{flow.retry}` does not buy again",
            judge.name_node,
            hint=f"write `{flow.anew}` in `{flow.retry}`, and each repetition buys a new one",
            related=(Related(step.key_nodes[flow.retry or ""].span, "of this"),),
        )


def _judge(steps: Iterable[StepNode], bought: set[str], judged: bool) -> StepNode | None:
    """The first step that fails by what was bought. `bought` are the FlowContext keys that depend on it; `judged` is
    whether it was asked already if these steps run."""
    for step in steps:
        depends = judged or not bought.isdisjoint(read_by(step))
        if depends and isinstance(step.spec.flow, Exit) and step.spec.flow.signal is None:
            return step
        if depends or step.spec.provider is not None:
            bought.update(name for name, _ in (*step.writes(), *step.written_outputs()))
        for block in step.blocks:
            judge = _judge(block.steps, bought, depends)
            if judge is not None:
                return judge
    return None
