"""PARALLEL: blocks side by side."""

from __future__ import annotations

from collections.abc import Awaitable

from pydantic import Field

import flowdsl
from flowdsl import Block, Signal, Step, StepContext, gather


class Parallel(
    Step,
    name="PARALLEL",
    flow=flowdsl.Parallel(blocks=("steps",), concurrent="concurrency"),
    category="Control",
    examples=(
        """\
- step: PARALLEL
  steps:
    - - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: A harbour at dawn, panorama
        size: 1536x1024
        outputKey: wide
    - - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: A harbour at dawn, seen from the top of a mast
        size: 1024x1536
        outputKey: tall
- step: SET
  pictures: ["{{ flowContext.wide[0] }}", "{{ flowContext.tall[0] }}"]
""",
    ),
):
    """Runs lists of steps side by side, each on its own shallow copy of the FlowContext.

    When all have finished, the keys each of them changed are written back in the order of the lists. If any failed, the
    changes of the others are kept and the first error, in that order, is raised. END and END_IF in a list take effect
    after that.
    """

    steps: list[Block] = Field(min_length=2)
    """Two or more lists of steps."""
    concurrency: int | None = Field(default=None, ge=1, le=256)
    """The concurrency limit: how many of the lists may run side by side; default: all of them."""

    async def run(self, ctx: StepContext) -> Signal | None:
        """Runs all lists."""
        blocks = self.steps

        def branch(context: StepContext, index: int) -> Awaitable[Signal | None]:
            return context.run_block(blocks[index])

        gathered = await gather(ctx, len(blocks), branch, concurrency=self.concurrency or len(blocks))
        return gathered.merge(ctx)
