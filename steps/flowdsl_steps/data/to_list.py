"""TO_LIST: a text as a list."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from flowdsl import Port, Reads, Step, StepContext, StepError, Written
from flowdsl_steps.data.json_value import read_json, unfenced
from flowdsl_steps.data.source import read_source

_ITEM = re.compile(r"(?:[-*+•]|\d{1,4}[.)])\s+(\S.*)")


class ToList(
    Step,
    name="TO_LIST",
    aliases=("PROCESS_TO_LIST",),
    category="Data",
    inputs=(Port("text", "The text, when there is no `in`.", optional=True, instead=("in",)),),
    outputs=(Port("list", "The items: texts, or what a JSON array holds."),),
    examples=(
        """\
- step: SET
  text: |
    1. a lighthouse
    2. a harbour at night
- step: TO_LIST
- step: SET
  text: "{{ flowContext.list | length }} pictures, first {{ flowContext.list[0] }}"
""",
    ),
):
    """Reads a list out of a text: a JSON array, a Markdown list, items between commas, else one item."""

    in_: Annotated[Any, Reads()] = Field(default=None, alias="in")
    """The text, or the FlowContext path that holds it; without it the input `text`. A list is taken as it is."""

    def run(self, ctx: StepContext) -> Written:
        """The items."""
        source = read_source(self.in_, ctx)
        if isinstance(source, str):
            return {"list": items_of(source)}
        return {"list": list(source) if isinstance(source, (list, tuple)) else [source]}


def items_of(text: str) -> list[Any]:
    """The items of a text, in the first form that fits; an empty text has none."""
    text = unfenced(text).strip()
    if not text:
        return []
    found = _json_items(text)
    if found is not None:
        return found
    lines = text.splitlines()
    marked = _marked_items(lines)
    if marked:
        return marked
    if len(lines) == 1 and "," in text:
        return [part.strip() for part in text.split(",") if part.strip()]
    return [text]


def _marked_items(lines: list[str]) -> list[str]:
    """The items of a Markdown list; an indented line goes on with the item above it, other lines are no items."""
    items: list[list[str]] = []
    inside = False
    for line in lines:
        words = line.strip()
        match = _ITEM.fullmatch(words)
        if match is not None:
            items.append([match.group(1)])
            inside = True
        elif words and inside and line[:1].isspace():
            items[-1].append(words)
        else:
            inside = False
    return [" ".join(item) for item in items]


def _json_items(text: str) -> list[Any] | None:
    """The items of a JSON array, or of an object that holds one list; any other object is one item."""
    if text[0] not in "[{":
        return None
    try:
        value = read_json(text)
    except StepError:
        return None
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        return lists[0] if len(lists) == 1 else [value]
    return value if isinstance(value, list) else None
