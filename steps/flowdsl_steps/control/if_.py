"""IF: one of two blocks."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any

from pydantic import Field

from flowdsl import Block, Choice, Condition, Deferred, ExactlyOne, Expression, Signal, Step, StepContext, holds
from flowdsl_steps.control.conditions import first_given


class If(
    Step,
    name="IF",
    rules=(ExactlyOne("condition", "test"),),
    flow=Choice(on=("condition", "test"), then="then", otherwise="else"),
    category="Control",
    examples=(
        """\
- step: SET
  style: watercolour
- step: IF
  condition: "{{ flowContext.style == 'watercolour' }}"
  then:
    - step: SET
      text: "The old town of Lisbon, watercolour on rough paper"
  else:
    - step: SET
      text: "The old town of Lisbon, {{ flowContext.style }}"
""",
    ),
):
    """Runs `then` when the condition is true, else `else`.

    A text is false when it is empty or says false, null, undefined or none; an undefined value is false too.
    """

    condition: Annotated[Any, Condition(), Deferred()] = None
    """What decides; usually one `{{ expression }}`."""
    test: Annotated[str | None, Condition(), Expression(), Deferred()] = None
    """The older form of `condition`: an expression without braces."""
    then: Block | None = None
    """Steps to run when it is true."""
    else_: Block | None = Field(default=None, alias="else")
    """Steps to run when it is false."""

    def run(self, ctx: StepContext) -> Awaitable[Signal | None]:
        """Decides, and runs one block."""
        return ctx.run_block(self.then if holds(first_given(ctx, "condition", "test")) else self.else_)
