"""Loops that pay for pictures and keep only those of the last iteration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flowdsl.checker.findings import Findings
from flowdsl.document.document import StepNode
from flowdsl.step.flow_shapes import Loop

IMAGES = "imageList"
"""The type of the output that is pictures."""


def check_loops(steps: Iterable[StepNode], findings: Findings) -> None:
    """Reports loops that could collect what their iterations make, and in which nothing takes it."""
    for step in steps:
        flow = step.spec.flow
        for block in step.blocks:
            if isinstance(flow, Loop) and block.key == flow.body and flow.collect and not step.given(flow.collect):
                _check_body(step, flow.collect, block.steps, findings)
            check_loops(block.steps, findings)


def _check_body(loop: StepNode, collect: tuple[str, ...], body: tuple[StepNode, ...], findings: Findings) -> None:
    for maker in _makers(body):
        key = next((name for name, _ in maker.written_outputs()), None)
        if key is None or _is_read(key, maker, body):
            continue
        message = f"each iteration makes pictures, and of all of them only the last `{key}` is left after the loop"
        hint = f'add `{collect[0]}: "{{{{ flowContext.{key} }}}}"` and `{collect[1]}: all`, and read `all`'
        findings.add("lost-images", message, loop.name_node, hint=hint)
        return


def _makers(steps: Iterable[StepNode]) -> Iterator[StepNode]:
    """The steps that ask a service for pictures, those of inner loops left to these."""
    for step in steps:
        spec = step.spec
        if spec.service is not None and spec.outputs and spec.outputs[0].type == IMAGES and not step.outputs:
            yield step
        if not isinstance(spec.flow, Loop):
            for block in step.blocks:
                yield from _makers(block.steps)


def _is_read(key: str, maker: StepNode, body: Iterable[StepNode]) -> bool:
    """Whether another step of the body may take the pictures: it names their key, or reads it as its input."""
    name = re.compile(rf"\b{re.escape(key)}\b")
    for step in body:
        if step is maker:
            continue
        if step.blocks:
            inner = [each for block in step.blocks for each in block.steps]
            if _is_read(key, maker, inner):
                return True
        if any(port.type == key for port in step.spec.inputs):
            return True
        span = step.node.span
        if maker not in list(_makers([step])) and name.search(span.text):
            return True
    return False
