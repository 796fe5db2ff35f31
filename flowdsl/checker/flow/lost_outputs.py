"""Loops that pay for pictures and keep only those of the last iteration, or give the files of all of them one name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from flowdsl.checker.findings import Findings
from flowdsl.checker.flow.shifted_names import check_shifted_names
from flowdsl.document.document import StepNode
from flowdsl.document.symbols import WHOLE
from flowdsl.step.flow_shapes import Call, Loop
from flowdsl.step.key import IDENTIFIER
from flowdsl.syntax.node import Node
from flowdsl.template import parse

IMAGES = "imageList"
"""The type of the output that is pictures."""


def check_loops(steps: Sequence[StepNode], findings: Findings) -> None:
    """Reports loops that could collect what their iterations make, and in which nothing takes it, and files that are
    named wrongly behind a loop."""
    check_shifted_names(steps, findings)
    for step in steps:
        flow = step.spec.flow
        for block in step.blocks:
            if isinstance(flow, Loop) and block.key == flow.body:
                if flow.collect and not step.given(flow.collect):
                    _check_body(step, flow.collect, block.steps, findings)
                _check_names(step, block.steps, findings)
            check_loops(block.steps, findings)


def _check_names(loop: StepNode, body: tuple[StepNode, ...], findings: Findings) -> None:
    """Notes each file in a loop whose name reads nothing that differs between its iterations; an inner loop notes its
    own. What a called flow sets is not looked for."""
    named = [
        (name, key, step.keys[name])
        for step in _every(body, loops=False)
        for name, key in step.spec.names_files
        if name in step.keys
    ]
    if not named:
        return
    inside = list(_every(body))
    if any(isinstance(step.spec.flow, Call) for step in inside):
        return
    changing = {name for step in (loop, *inside) for name, _ in step.writes()}
    for name, key, node in named:
        if not _is_fixed(node, changing, key.names, key.differs):
            continue
        item = loop.item() or loop.index()
        reading = f" that reads `flowContext.{item[0]}`" if item is not None else " that reads what the loop changes"
        message = f"`{name}` reads nothing of the {loop.spec.name} around it: the second file gets a number, `-2`"
        findings.add("same-file-name", message, node, hint=f"write a name{reading}")


def _is_fixed(node: Node, changing: set[str], names: tuple[str, ...], differs: tuple[str, ...]) -> bool:
    """Whether a text is the same in each iteration: it reads inputs and what no step of the loop sets, and no more."""
    if not isinstance(node.value, str):
        return False
    for reference in parse(node.value).references:
        first = next(iter(reference.path), WHOLE) if reference.root == "flowContext" else reference.root
        if reference.root in names and reference.root not in changing:
            if reference.root in differs:
                return False
        elif reference.root != "inputs" and (reference.root != "flowContext" or first == WHOLE or first in changing):
            return False
    return True


def _every(steps: Iterable[StepNode], *, loops: bool = True) -> Iterator[StepNode]:
    """Steps and those inside them, without the insides of loops unless they are asked for."""
    for step in steps:
        yield step
        for block in step.blocks if loops or not isinstance(step.spec.flow, Loop) else ():
            yield from _every(block.steps, loops=loops)


def _check_body(loop: StepNode, collect: tuple[str, ...], body: tuple[StepNode, ...], findings: Findings) -> None:
    for maker in _makers(body):
        key = next((name for name, _ in maker.written_outputs()), None)
        if key is None or not re.match(IDENTIFIER, key) or _is_read(key, maker, body):
            continue  # what is no name is reported where it stands, and cannot be read
        message = f"each iteration makes pictures, and of all of them only the last `{key}` is left after the loop"
        hint = f'add `{collect[0]}: "{{{{ flowContext.{key} }}}}"` and `{collect[1]}: all`, and read '
        hint += "`{{ flowContext.all | flatten }}`"
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
