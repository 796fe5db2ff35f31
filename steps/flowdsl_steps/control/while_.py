"""WHILE: a loop with a condition."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field

from flowdsl import (
    Block,
    Condition,
    Deferred,
    ExactlyOne,
    Expression,
    LimitExceeded,
    Loop,
    Signal,
    Step,
    StepContext,
    holds,
)
from flowdsl_steps.control.conditions import first_given
from flowdsl_steps.control.iterations import BREATHER


class While(
    Step,
    name="WHILE",
    rules=(ExactlyOne("condition", "test"),),
    flow=Loop(body="do", on=("condition", "test"), most="max"),
    category="Control",
    examples=(
        """\
- step: SET
  count: 0
- step: WHILE
  condition: "{{ flowContext.count < 3 }}"
  do:
    - step: SET
      count: "{{ flowContext.count + 1 }}"
""",
    ),
):
    """Runs `do` as long as the condition is true; it is resolved anew before each iteration.

    More than `max` iterations end the run with LimitExceeded, which no TRY catches.
    """

    condition: Annotated[Any, Condition(), Deferred()] = None
    """What decides; usually one `{{ expression }}`."""
    test: Annotated[str | None, Condition(), Expression(), Deferred()] = None
    """The older form of `condition`: an expression without braces."""
    do: Block
    """Steps of one iteration."""
    max: int = Field(default=10_000, ge=1)
    """How many iterations at most."""

    async def run(self, ctx: StepContext) -> Signal | None:
        """Runs iteration after iteration."""
        iterations = 0
        while holds(first_given(ctx, "condition", "test")):
            if iterations == self.max:
                message = f"WHILE ran {iterations:,} times and its condition still holds"
                raise LimitExceeded(
                    message, code="too-many-iterations", hint="`max` says how many iterations are allowed"
                )
            signal = await ctx.run_block(self.do, iteration=iterations)
            iterations += 1
            if signal is not None and signal is not Signal.CONTINUE:
                return signal.beyond_loop
            if iterations % BREATHER == 0:
                await asyncio.sleep(0)
        return None
