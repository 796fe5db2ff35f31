"""FOR_RECORDS: a block of steps for each message of an input, however many there are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from pydantic import ConfigDict, Field

from flowdsl import Block, Loop, Port, Signal, Step, StepContext, StepError
from flowdsl.step.standard_input import not_ours
from flowdsl_steps.records.checks import check_records
from flowdsl_steps.records.record import Record, at_hand
from flowdsl_steps.records.run_records import MOST_TOLD, Tally, run_records
from flowdsl_steps.records.settings import MESSAGE

EXAMPLE = """\
- step: FOR_RECORDS
  input:
    stdin: {}
  do:
    - step: RECORD_MAPPING
      mapping: 'root = "A postcard of " + content()'
    - step: RECORD_IMAGE
      model: gpt-image-2
  output:
    file:
      path: 'postcard-${! count("postcards") }.png'
      codec: all-bytes
"""


class ForRecords(
    Step,
    name="FOR_RECORDS",
    category="Records",
    check=check_records,
    flow=Loop(body="do", concurrent="threads", only=MESSAGE),
    outputs=(
        Port(
            "object",
            "`read`, `written`, `dropped` and `failed`: how many records there were of each; `failures` names those "
            "that failed, `messages` those of which there are pictures.",
        ),
    ),
    examples=(EXAMPLE,),
):
    """Runs `do` for each message of an input, one after another, and hands what becomes of it to an output.

    Messages are read when it is their turn: a million takes no more memory than ten. One that fails is marked and goes
    on; when all are through, messages that are still marked make the step fail, and are named.
    """

    model_config = ConfigDict(defer_build=True)

    input: dict[str, Any] = Field(default_factory=lambda: {"stdin": {}})
    """Where messages come from: `stdin`, `file` or `csv`, with the keys that Redpanda Connect has for it. Standard
    input gives a message a line. Files lie in the folder that the flow is run in."""
    output: dict[str, Any] = Field(default_factory=lambda: {"stdout": {}})
    """Where they go: `stdout`, `file` or `drop`. Standard output shows texts; pictures have files of their own, which
    the run names. `path` of a file may have `${! … }` in it, and is a path in the output folder."""
    threads: int = Field(default=1, ge=1, le=256)
    """How many messages are worked on side by side. They reach the output in the order of the input."""
    do: Block
    """The steps for one message."""

    @classmethod
    def reads_standard_input(cls, given: Mapping[str, Any]) -> str | None:
        """The key `input`, where it says so or nothing."""
        source = given.get("input")
        return "input" if source is None or (isinstance(source, Mapping) and "stdin" in source) else None

    async def run(self, ctx: StepContext) -> dict[str, Any] | Signal:
        """Runs the steps for each message.

        Raises:
            ConfigError: a value names a file to read, which the flow alone may, or standard input is not the flow's.
            StepError: messages ended marked, or an end cannot be read or written.
        """
        from flowdsl_steps.records.inputs import given_record, paths_of, records_of, waits_for_a_person
        from flowdsl_steps.records.outputs import Output

        given = ctx.flow_context.get(MESSAGE)
        if given is None and not ctx.limits.standard_input and self.reads_standard_input({"input": self.input}):
            raise not_ours("FOR_RECORDS")
        for path in paths_of(self.input) if given is None else ():
            ctx.check_file_name(path)
        if given is None and waits_for_a_person(self.input):
            ctx.progress("reads messages from standard input, one a line, until Ctrl-D")
        output = Output(self.output, ctx)
        await output.open()
        ended = 0

        async def work(record: Record) -> Signal | None:
            nonlocal ended
            if record.is_rejected:  # it is no message, such as a row with a field too few
                ctx.note("record-failed", f"{record.name}: {record.error}")
                return None
            own = ctx if self.threads == 1 else ctx.branch().context
            own.begin(record.number, record.text, ended, 0)
            with at_hand(record):
                signal = await own.run_block(self.do, iteration=record.number)
            ended += 1
            return signal

        is_served = not ctx.limits.standard_input
        found = records_of(self.input, {}, is_served=is_served) if given is None else given_record(given)
        async with aclosing(found) as records:
            tally = await run_records(records, work, output.write, side_by_side=self.threads)
        if not tally.read:
            ctx.note("no-records", "the input holds no message")
        if tally.failed:
            raise failed(tally)
        if tally.signal is not None and tally.signal.beyond_loop is not None:
            return tally.signal.beyond_loop
        return {"object": tally.to_json()}


class RecordsFailed(StepError):
    """Messages that ended marked. As JSON it names them, up to a number."""

    code = "records-failed"

    def __init__(self, message: str, tally: Tally) -> None:
        hint = "`catch` behind what may fail clears the mark" if tally.failed > tally.rejected else None
        super().__init__(message, hint=hint)
        self.tally = tally

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON values, with what became of the messages under `records`."""
        return super().to_dict() | {"records": self.tally.to_json()}


def failed(tally: Tally) -> RecordsFailed:
    """The error of a run in which messages ended marked: its message names the first of them."""
    named = [f"{each.name}: {each.error}" for each in tally.failures[:MOST_TOLD]]
    more = tally.failed - len(named)
    if more:
        named.append(f"and {more} more")
    messages = "1 message" if tally.read == 1 else f"{tally.read:,} messages"
    text = f"{tally.failed:,} of {messages} failed: {'; '.join(named)}"
    return RecordsFailed(text, tally)
