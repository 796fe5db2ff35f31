"""RECORD_CATCH: steps for messages that have failed."""

from __future__ import annotations

from flowdsl import Block, Choice, Signal, Step, StepContext
from flowdsl_steps.records.record import current

EXAMPLE = """\
- step: FOR_RECORDS
  do:
    - step: RECORD_IMAGE
      model: gpt-image-2
    - step: RECORD_CATCH
      do:
        - step: RECORD_MAPPING
          mapping: 'root.failed = error()'
"""


class RecordCatch(Step, name="RECORD_CATCH", category="Records", flow=Choice(then="do"), examples=(EXAMPLE,)):
    """Runs `do` on a message of FOR_RECORDS that is marked as failed, and clears the mark, also one that `do` made.

    Any other message passes by. In the steps `error()` of Bloblang says what failed.
    """

    do: Block | None = None
    """The steps; without any the mark is only cleared."""

    async def run(self, ctx: StepContext) -> Signal | None:
        """Runs the steps, and clears the mark."""
        record = current(ctx)
        if record.error is None or record.is_skipped:
            return None
        outer, record.is_trying = record.is_trying, False
        try:
            signal = await ctx.run_block(self.do)
        finally:
            record.is_trying = outer
        record.error = None
        return signal
