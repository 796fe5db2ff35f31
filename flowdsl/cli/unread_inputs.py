"""Inputs that nothing in a flow reads: most often their names are misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flowdsl.nearest import nearest

if TYPE_CHECKING:
    from flowdsl.document.document import Document, StepNode
    from flowdsl.syntax.node import Node


def unread_inputs(document: Document, names: Iterable[str]) -> Iterator[str]:
    """A warning for each given name that a flow without `inputs:` does not read."""
    if document.inputs is not None:
        return  # there an unknown name is an error
    read = set(_texts_read(document.root)) | set(_ports_read(document.steps))
    if "flowContext" in read:
        return  # read as a whole
    for name in names:
        if name not in read:
            near = nearest(name, sorted(read))
            hint = f"; did you mean `{near}`?" if near else ""
            yield f"nothing in the flow reads the input `{name}`{hint}"


def _texts_read(node: Node) -> Iterator[str]:
    """The FlowContext names that templates and expressions read, `flowContext` for all of them."""
    if node.kind != "scalar":
        for key, child in node.value.items() if node.kind == "map" else ((None, item) for item in node.value):
            if key == "expression" and isinstance(child.value, str):
                yield from re.findall(r"[A-Za-z_]\w*", child.value.replace("flowContext.", ""))
            else:
                yield from _texts_read(child)
    elif isinstance(node.value, str) and "{" in node.value:
        from flowdsl.template import parse

        for reference in parse(node.value).references:
            yield reference.path[0] if reference.root == "flowContext" and reference.path else reference.root


def _ports_read(steps: Iterable[StepNode]) -> Iterator[str]:
    """The FlowContext names that steps take as their inputs."""
    for step in steps:
        named = {port.type for port in step.inputs}
        yield from (port.name.partition(".")[0] for port in step.inputs)
        yield from (port.type for port in step.spec.inputs if port.type not in named)
        for block in step.blocks:
            yield from _ports_read(block.steps)
