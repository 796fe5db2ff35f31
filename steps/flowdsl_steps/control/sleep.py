"""SLEEP: a pause."""

from __future__ import annotations

import asyncio

from pydantic import Field

from flowdsl import Step, StepContext
from flowdsl_steps.control.repeat import LONGEST_MS


class Sleep(
    Step,
    name="SLEEP",
    category="Control",
    examples=(
        """\
- step: SLEEP
  delay: 250
""",
    ),
):
    """Waits. Cancelling the run, or its deadline, ends the pause at once."""

    delay: int | float = Field(default=1000, ge=0, le=LONGEST_MS)
    """How long, in milliseconds."""

    async def run(self, ctx: StepContext) -> None:
        """Waits so long."""
        await ctx.effect("sleep", {"ms": self.delay}, lambda: asyncio.sleep(self.delay / 1000))
