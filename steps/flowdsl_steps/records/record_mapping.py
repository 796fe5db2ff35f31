"""RECORD_MAPPING: what a message becomes, in Bloblang."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flowdsl import Step, StepContext, Verbatim
from flowdsl_steps.records.checks import check_mapping, mapping_of
from flowdsl_steps.records.record import current

EXAMPLE = """\
- step: FOR_RECORDS
  do:
    - step: RECORD_MAPPING
      mapping: |
        root.prompt = "A poster for " + this.title.uppercase()
        root.size = this.size | "1024x1024"
        meta title = this.title
"""


class RecordMapping(Step, name="RECORD_MAPPING", category="Records", check=check_mapping, examples=(EXAMPLE,)):
    """Makes another message of each message of FOR_RECORDS, by a mapping of Bloblang.

    A line that fails leaves the message as it is, and marks it.
    """

    mapping: Annotated[str, Verbatim()] = Field(min_length=1)
    """Assignments, one a line: to `root` or a field of it, or to `meta` and a key. A query alone is what the message
    becomes. `deleted()` in place of `root` drops the message."""

    def run(self, ctx: StepContext) -> None:
        """Maps the message, or marks it."""
        from flowdsl_steps.expressions.bloblang import QueryFailed

        record = current(ctx)
        if record.is_skipped:
            return
        try:
            mapped = mapping_of(self.mapping).apply(record)
        except QueryFailed as error:
            record.fail(error.message, ctx)
            return
        record.is_dropped = mapped.is_dropped
        record.metadata = mapped.metadata
        if mapped.content is not None:
            record.become(mapped.content)
