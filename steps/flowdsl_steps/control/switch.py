"""SWITCH: one of many blocks."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any

from pydantic import Field

import flowdsl
from flowdsl import Block, Condition, Deferred, ExactlyOne, Expression, Signal, Step, StepContext
from flowdsl.template import output_text
from flowdsl_steps.control.conditions import first_given


class Switch(
    Step,
    name="SWITCH",
    rules=(ExactlyOne("condition", "switch"),),
    flow=flowdsl.Switch(on=("condition", "switch"), cases="cases", default="default", as_text=True),
    category="Control",
    examples=(
        """\
- step: SET
  season: winter
- step: SWITCH
  condition: "{{ flowContext.season }}"
  cases:
    winter:
      - step: SET
        text: A frozen lake at dawn
    summer:
      - step: SET
        text: A field of poppies at noon
    default:
      - step: SET
        text: A forest path in the rain
""",
    ),
):
    """Runs the case whose name is the value as text, else the case `default`, else nothing.

    Values are compared as text, without the blanks around it: the number 1 finds the case `1`, true finds `true`.
    """

    condition: Annotated[Any, Condition(), Deferred()] = None
    """The value to compare."""
    switch: Annotated[str | None, Condition(), Expression(), Deferred()] = None
    """The older form of `condition`: an expression without braces."""
    cases: dict[str, Block] = Field(min_length=1)
    """Value to steps; `default` is for every other value."""

    def run(self, ctx: StepContext) -> Awaitable[Signal | None]:
        """Finds the case, and runs it."""
        value = output_text(first_given(ctx, "condition", "switch")).strip()
        return ctx.run_block(self.cases.get(value, self.cases.get("default")))
