"""Which type an input must have for what is done with it where it is read: what its declaration is to say.

Imported with the first input that is not declared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdsl.step.flow_shapes import Switch

if TYPE_CHECKING:
    from flowdsl.checker.names.name_table import NameTable
    from flowdsl.checker.names.template_use import Use
    from flowdsl.document.document import StepNode
    from flowdsl.step.spec import Key
    from flowdsl.syntax.node import Node

_TYPES = {
    "list": "array",
    "map": "object",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "text": "string",
}
_LISTS = (
    *("batch", "chunk", "compact", "find", "first", "flatten", "groupby", "join", "last", "pluck", "random", "reject"),
    *("rejectattr", "reverse", "select", "selectattr", "slice", "sort", "sum", "unique"),
)
_NUMBER = r"-?\d+(?:\.\d+)?"
_BEFORE = (
    (r"\{%-?\s*for\s[^%]*\sin", "array"),
    (r"\bin", "array"),
    (r"\brange\(|[\w\])]\[", "integer"),
    (r"(?<!\{)(?<!\{%)(?<!\{\{)[-*/%]|<=?|>=?", "number"),
    (rf"{_NUMBER}\s*(?:\+|[!=]==?)", "number"),
    (r"\bnot|!|\b(?:true|false)\s*[!=]==?", "boolean"),
    (r"\s(?:el)?if|\s(?:and|or)|&&|\|\|", "boolean"),
)
"""What stands before an input → its type. The first that fits counts; behind them come those after it."""
_AFTER = (
    (r"\.\w|\[\s*['\"]", "object"),
    (r"\[", "array"),
    (rf"\|\s*(?:{'|'.join(_LISTS)})\b", "array"),
    (r"\|\s*(?:dictsort|entries|keys|pick|values)\b", "object"),
    (r"\|\s*(?:abs|round)\b", "number"),
    (r"[-*/%](?![%}])|<|>", "number"),
    (rf"(?:\+|[!=]==?)\s*{_NUMBER}", "number"),
    (r"[!=]==?\s*(?:true|false)\b|\s(?:and|or)\s|&&|\|\|", "boolean"),
)
_BESIDE = 200
"""So many characters on each side are looked at: a long text may read many inputs."""


def type_of_use(names: NameTable, use: Use, start: int, end: int) -> str:
    """The type of JSON Schema for an input that a template reads from `start` to `end` in its text."""
    before, after = use.text[max(0, start - _BESIDE) : start].rstrip(), use.text[end : end + _BESIDE]
    for pattern, kind in _AFTER[:2]:
        if re.match(pattern, after):
            return kind
    text, after = use.text.strip(), after.lstrip()
    if use.shift == 0 and (text == use.text[start:end] or re.fullmatch(r"\{\{-?\s*[\w.]+\s*-?\}\}", text)):
        return _of_option(names, use.node)
    compared = re.match(r"[!=]==?\s*['\"]", after) or re.search(r"['\"]\s*[!=]==?$", before)
    if compared is not None:
        return "string"
    for pattern, kind in _BEFORE:
        if re.search(rf"(?:{pattern})$", before) and not (kind == "boolean" and _compares(after)):
            return kind
    return next((kind for pattern, kind in _AFTER[2:] if re.match(pattern, after)), "string")


def _compares(after: str) -> bool:
    return re.match(r"[<>=!+*/%-]|in\b|is\b|\|(?!\|)", after) is not None and not re.match(r"-?%\}", after)


def _of_option(names: NameTable, node: Node) -> str:
    """The type for an input that is all of an option."""
    options = names.findings.options
    if options is None:
        options = names.findings.options = {
            id(value): (step, step.spec.keys[name])
            for step in names.document.every_step()
            for name, value in step.keys.items()
            if name in step.spec.keys
        }
    found = options.get(id(node))
    return _of_key(*found) if found is not None else "string"


def _of_key(step: StepNode, key: Key) -> str:
    if key.condition:
        return "string" if isinstance(step.spec.flow, Switch) else "boolean"
    return _TYPES.get(key.type, "string")
