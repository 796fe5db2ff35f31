"""TRY: what to do when steps fail."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

import flowdsl
from flowdsl import Block, Condition, Deferred, ErrorValue, LimitExceeded, RunError, Signal, Step, StepContext, holds
from flowdsl_steps.control.repeat import Repeat, check_repeat

if TYPE_CHECKING:
    from flowdsl.step.step_context import Paid


class Try(
    Step,
    name="TRY",
    check=check_repeat,
    flow=flowdsl.Try(
        body="try",
        catch="catch",
        final="finally",
        when="when",
        retry="retry",
        anew="paid: again",
        times=f"max: {Repeat().max}",
    ),
    category="Control",
    examples=(
        """\
- step: TRY
  try:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: A harbour at dawn
      outputKey: pictures
  retry: {max: 1}
  catch:
    - step: SHOW_NOTIFICATION
      notificationType: warning
      message: "{{ flowContext.error.code }}: {{ flowContext.error }}"
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2.5-flare
      instruction: A harbour at dawn, without people
      outputKey: pictures
- step: SAVE_IMAGES
  in: pictures
""",
        """\
- step: TRY
  try:
    - step: RAISE
      message: The prompt was refused
      code: content-refused
  when: "{{ flowContext.error.code == 'content-refused' }}"
  catch:
    - step: SET
      text: A harbour at dawn, without people
  finally:
    - step: EMIT_EVENT
      name: painted
""",
    ),
):
    """Runs `try`, and when a step in it fails, `catch` with the error in `flowContext.error`.

    Without `catch` the error is dropped. `finally` runs at the end whatever happened, also when the run ends or is
    cancelled. An error in `catch` or `finally` goes on. LimitExceeded and cancellation are never caught.
    """

    try_: Block = Field(alias="try")
    """Steps that may fail."""
    catch: Block | None = None
    """Steps to run after an error."""
    when: Annotated[Any, Condition(), Deferred()] = None
    """Which errors are caught: resolved with `flowContext.error`; when it is false the error goes on."""
    finally_: Block | None = Field(default=None, alias="finally")
    """Steps to run at the end in any case."""
    retry: dict[str, Any] | None = None
    """Runs `try` again after an error that is safe to repeat (the service says so, and nothing was charged): `max`
    further times (2), after `delayMs` (1000), times `backoff` (2) for each further one, at most `maxDelayMs` (30000);
    `jitter` (true) draws each delay between half and all of it. What was paid for is kept, and an equal request of a
    repetition or of `catch` gets it, once for each time that it was bought; `paid: again` buys a new one on purpose,
    and repeats `try` after a RAISE in it too."""

    async def run(self, ctx: StepContext) -> Signal | None:
        """Runs `try`, perhaps `catch`, and `finally`."""
        try:
            signal = await self._caught(ctx)
        except GeneratorExit:  # nobody runs this any more
            raise
        except BaseException as error:
            try:
                await ctx.run_block(self.finally_)
            except RunError as further:
                if isinstance(error, RunError) and not isinstance(error, LimitExceeded):
                    raise
                ctx.note("finally-failed", further.message)  # it must not replace what ends the run
            raise
        return await ctx.run_block(self.finally_) or signal

    async def _caught(self, ctx: StepContext) -> Signal | None:
        repeat = Repeat.of(self.retry) if self.retry is not None else None
        if repeat is not None and repeat.paid == "again":
            return await self._fallen_back(ctx, repeat, None)
        with ctx.keeping_paid() as paid:
            return await self._fallen_back(ctx, repeat, paid)

    async def _fallen_back(self, ctx: StepContext, repeat: Repeat | None, paid: Paid | None) -> Signal | None:
        try:
            return await self._repeated(ctx, repeat, paid)
        except LimitExceeded:
            raise
        except RunError as error:
            ctx.write("error", ErrorValue(error))
            if "when" in ctx.given and not holds(ctx.evaluate("when")):
                raise
            if self.catch is None:
                ctx.note("dropped-error", f"{ctx.step} dropped an error of {error.step or 'a step'}: {error.message}")
        if paid is not None:
            paid.again()
        return await ctx.run_block(self.catch)

    async def _repeated(self, ctx: StepContext, repeat: Repeat | None, paid: Paid | None) -> Signal | None:
        """Runs `try`, and again as `repeat` says.

        Raises:
            RunError: the error of the last time.
        """
        for again in range(repeat.max if repeat is not None else 0):
            try:
                return await ctx.run_block(self.try_, iteration=again)
            except RunError as error:
                if repeat is None or not repeat.covers(error):
                    raise
                await ctx.effect("sleep", {"retry": again + 1}, partial(_pause, repeat, again, error, ctx))
            if paid is not None:
                paid.again()
        return await ctx.run_block(self.try_, iteration=None if repeat is None else repeat.max)


async def _pause(repeat: Repeat, again: int, error: RunError, ctx: StepContext) -> None:
    """Waits before `try` is repeated. The delay is drawn here: a replay shows the recorded one, and does not wait."""
    delay_s = repeat.delay_s(again)
    ctx.note("retry", f"try again in {delay_s:.3g} s ({again + 1} of {repeat.max}): {error.message}")
    await asyncio.sleep(delay_s)
