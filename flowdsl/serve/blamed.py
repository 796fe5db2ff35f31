"""Which input the error of a run is about: the one that the flow reads where it failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdsl.document.document import Document
    from flowdsl.errors import RunError

_ALL = "inputs"
_INPUT = re.compile(rf"\b{_ALL}(?:\.([A-Za-z_]\w*)|\[\s*['\"]([^'\"]+)['\"]\s*\])", re.ASCII)


def blamed(document: Document, error: RunError) -> str:
    """The input, as `inputs.city`; all of them where the place of the error reads another number than one."""
    if error.span is None:
        return _ALL
    step = next((each for each in document.every_step() if each.name_node.span == error.span), None)
    at = error.span if step is None else step.node.span
    names = {dotted or quoted for dotted, quoted in _INPUT.findall(at.source.text[at.start : at.end])}
    return f"{_ALL}.{names.pop()}" if len(names) == 1 else _ALL
