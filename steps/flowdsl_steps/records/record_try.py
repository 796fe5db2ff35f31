"""RECORD_TRY: steps of which a message that fails sees no further one."""

from __future__ import annotations

from flowdsl import Block, Sequence, Signal, Step, StepContext
from flowdsl_steps.records.record import current

EXAMPLE = """\
- step: FOR_RECORDS
  do:
    - step: RECORD_TRY
      do:
        - step: RECORD_MAPPING
          mapping: 'root = this.prompt.trim()'
        - step: RECORD_IMAGE
          model: gpt-image-2
"""


class RecordTry(Step, name="RECORD_TRY", category="Records", flow=Sequence(blocks=("do",)), examples=(EXAMPLE,)):
    """Runs `do` on a message of FOR_RECORDS up to the first step that marks it; a message that is marked sees none.

    The mark stays: RECORD_CATCH clears it.
    """

    do: Block
    """The steps."""

    async def run(self, ctx: StepContext) -> Signal | None:
        """Runs the steps."""
        record = current(ctx)
        outer, record.is_trying = record.is_trying, True
        try:
            return None if record.is_skipped else await ctx.run_block(self.do)
        finally:
            record.is_trying = outer
