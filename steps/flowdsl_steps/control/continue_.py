"""CONTINUE: the end of one iteration of a loop."""

from __future__ import annotations

from typing import Annotated, Any

from flowdsl import Condition, Deferred, Exit, Signal, Step, StepContext, holds


class Continue(
    Step,
    name="CONTINUE",
    flow=Exit(Signal.CONTINUE, when="condition"),
    category="Control",
    examples=(
        """\
- step: FOR
  var: name
  items: [Ada, "", Grace]
  do:
    - step: CONTINUE
      condition: "{{ not flowContext.name }}"
    - step: SET
      text: "Portrait of {{ flowContext.name }}"
""",
    ),
):
    """Ends this iteration of the innermost loop around it and goes on with the next; nothing is collected from it."""

    condition: Annotated[Any, Condition(), Deferred()] = None
    """Only when this is true; without it always."""

    def run(self, ctx: StepContext) -> Signal | None:
        """The signal, unless the condition is false."""
        return Signal.CONTINUE if "condition" not in ctx.given or holds(ctx.evaluate("condition")) else None
