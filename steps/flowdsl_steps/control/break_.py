"""BREAK: the end of a loop."""

from __future__ import annotations

from typing import Annotated, Any

from flowdsl import Condition, Deferred, Exit, Signal, Step, StepContext, holds


class Break(
    Step,
    name="BREAK",
    flow=Exit(Signal.BREAK, when="condition"),
    category="Control",
    examples=(
        """\
- step: FOR
  var: attempt
  start: 1
  end: 10
  do:
    - step: BREAK
      condition: "{{ flowContext.attempt > 3 }}"
""",
    ),
):
    """Leaves the innermost loop around it, through IF, SWITCH and TRY; not out of PARALLEL or a called flow."""

    condition: Annotated[Any, Condition(), Deferred()] = None
    """Only when this is true; without it always."""

    def run(self, ctx: StepContext) -> Signal | None:
        """The signal, unless the condition is false."""
        return Signal.BREAK if "condition" not in ctx.given or holds(ctx.evaluate("condition")) else None
