"""A prompt as far as it is known before the run: what is not known stays the template that it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdsl.errors import FlowError
from flowdsl.syntax.node import Node
from flowdsl.template import compile, parse, to_text

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.engine.known import Known

_PART = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def shown_prompt(step: StepNode, known: Known) -> str | None:
    """The prompt of a step with those of its templates resolved that are known; None where it has no prompt of its
    own."""
    node = next((step.keys[name] for name, key in step.spec.keys.items() if key.prompt and name in step.keys), None)
    if node is None or not isinstance(node.value, str):
        return None
    if "{%" in node.value or "{#" in node.value:
        return node.value
    return _PART.sub(lambda part: _resolved(part[0], node, known), node.value)


def _resolved(text: str, node: Node, known: Known) -> str:
    part = Node("scalar", text, node.source, node.start, node.end)
    try:
        if not known.knows(part):
            return text
        compiled = compile(parse(text), strict=True, filters=known.run.program.filters)
        return to_text(compiled(known.context, known.frame.names))
    except FlowError:
        return text
