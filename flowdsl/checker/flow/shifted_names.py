"""Files that are named behind a loop by the numbers of its items, where an iteration may give nothing to number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flowdsl.checker.findings import Findings
from flowdsl.diagnostics import Related
from flowdsl.document.document import StepNode
from flowdsl.step.flow_shapes import Exit, Loop
from flowdsl.step.signals import Signal
from flowdsl.syntax.node import Node
from flowdsl.template import parse


def check_shifted_names(steps: Iterable[StepNode], findings: Findings) -> None:
    """Reports each file name behind a loop that reads an item by a number, `inputs.products[index - 1].sku`, where the
    loop collects what its iterations made of these items, and a step in it ends an iteration before it is collected:
    every later file is given the name of another item."""
    loops: list[tuple[StepNode, str, StepNode]] = []
    for step in steps:
        for loop, collected, left in loops:
            _check(step, loop, collected, left, findings)
        found = _leaving_out(step)
        if found is not None:
            loops.append((step, *found))


def _leaving_out(loop: StepNode) -> tuple[str, StepNode] | None:
    """The key under which a loop collects, with the step that ends an iteration without; None where there is none."""
    flow = loop.spec.flow
    if not isinstance(flow, Loop) or not flow.collect or not loop.given(flow.collect) or flow.items not in loop.keys:
        return None
    named = loop.named(flow.collect[1])
    left = next(_ends(loop.block(flow.body)), None)
    return (named[0], left) if named is not None and left is not None else None


def _ends(steps: Iterable[StepNode]) -> Iterator[StepNode]:
    """The steps that end an iteration of the loop around them; those in inner loops end one of these."""
    for step in steps:
        flow = step.spec.flow
        if isinstance(flow, Exit) and flow.signal is Signal.CONTINUE:
            yield step
        elif not isinstance(flow, Loop):
            for block in step.blocks:
                yield from _ends(block.steps)


def _check(step: StepNode, loop: StepNode, collected: str, left: StepNode, findings: Findings) -> None:
    flow, item = loop.spec.flow, loop.item()
    assert isinstance(flow, Loop)  # noqa: S101  `_leaving_out` says so
    names = [(name, key, step.keys[name]) for name, key in step.spec.names_files if name in step.keys]
    items = _read(loop.keys[flow.items or ""]) if names else None
    if items is None or not _mentions(step, collected):
        return
    for name, key, node in names:
        numbers = "|".join(re.escape(number) for number in key.names if number not in key.differs)
        by_number = rf"(?<![\w.]){re.escape(items)}\s*\[[^\[\]]*\b(?:{numbers})\b[^\[\]]*\]"
        if not numbers or not isinstance(node.value, str) or not re.search(by_number, node.value):
            continue
        message = (
            f"`{name}` takes an item of `{items}` by the number of its file, and `{collected}` lacks what "
            f"{left.spec.name} leaves out: each later file gets the name of another item"
        )
        reading = f", and read `flowContext.{item[0]}`" if item is not None else ""
        hint = f"put the {step.spec.name} into the {loop.spec.name}{reading}"
        related = (Related(left.name_node.span, f"what fails here is not in `{collected}`"),)
        findings.add("shifted-file-name", message, node, hint=hint, related=related)


def _read(node: Node) -> str | None:
    """The plain name that is all of a template, as `inputs.products`."""
    if not isinstance(node.value, str):
        return None
    references = parse(node.value).references
    if len(references) != 1:
        return None
    name = ".".join((references[0].root, *references[0].path))
    return name if node.value.strip().removeprefix("{{").removesuffix("}}").strip() == name else None


def _mentions(step: StepNode, key: str) -> bool:
    """Whether one of the options of a step reads a key of the FlowContext."""
    word = re.compile(rf"(?:.*[\s.({{])?{re.escape(key)}(?:[\s|)}}\[].*)?", re.DOTALL)
    return any(isinstance(node.value, str) and word.fullmatch(node.value) for node in step.keys.values())
