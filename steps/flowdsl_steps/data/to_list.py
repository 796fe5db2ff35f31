"""TO_LIST: a text as a list of texts."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import Field

from flowdsl import Port, Step, StepContext, Written
from flowdsl.template import to_text
from flowdsl_steps.data.source import read_source

_FENCE = re.compile(r"\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,4}[.)])\s+(.*\S)\s*$")


class ToList(
    Step,
    name="TO_LIST",
    aliases=("PROCESS_TO_LIST",),
    category="Data",
    inputs=(Port("text", "The text, when there is no `in`.", optional=True),),
    outputs=(Port("list", "The items, as texts."),),
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

    in_: Any = Field(default=None, alias="in")
    """The text, or the FlowContext path that holds it; without it the input `text`."""

    def run(self, ctx: StepContext) -> Written:
        """The items."""
        source = read_source(self.in_, ctx)
        if isinstance(source, (list, tuple)):
            return {"list": [to_text(item) for item in source]}
        return {"list": items_of(to_text(source))}


def items_of(text: str) -> list[str]:
    """The items of a text, in the first form that fits; an empty text has none."""
    fenced = _FENCE.fullmatch(text)
    text = (fenced.group(1) if fenced else text).strip()
    if not text:
        return []
    found = _json_items(text)
    if found is not None:
        return [to_text(item) for item in found]
    marked = [match.group(1) for line in text.splitlines() if (match := _ITEM.match(line))]
    if marked:
        return marked
    lines = text.splitlines()
    if len(lines) == 1 and "," in text:
        return [part.strip() for part in text.split(",") if part.strip()]
    return [text]


def _json_items(text: str) -> list[Any] | None:
    """The items of a JSON array, or of an object whose only list it is."""
    if text[0] not in "[{":
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 else None
    return value if isinstance(value, list) else None
