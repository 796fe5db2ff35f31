"""FOR: a loop over numbers or items."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from flowdsl import AtLeastOne, Block, Conflicts, Deferred, Loop, Signal, Step, StepContext, Together, Verbatim, gather
from flowdsl.step.spec import IDENTIFIER
from flowdsl_steps.control.iterations import BREATHER, check_for, counted


class For(
    Step,
    name="FOR",
    rules=(
        Conflicts("items", "start", "end", "by"),
        AtLeastOne("items", "start"),
        Together("start", "end"),
        Together("collect", "collectKey"),
    ),
    check=check_for,
    flow=Loop(
        body="do",
        items="items",
        numbers=("start", "end", "by"),
        item="var",
        index="{var}_index",
        collect=("collect", "collectKey"),
        concurrent="concurrency",
    ),
    category="Control",
    examples=(
        """\
inputs:
  dishes:
    type: array
    items: {type: object, required: [name, plate]}
    default: [{name: almond cake, plate: a blue plate}]
flow:
  - step: FOR
    var: dish
    items: "{{ inputs.dishes }}"
    concurrency: 2
    do:
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: "{{ flowContext.dish.name }} on {{ flowContext.dish.plate }}, food photograph"
    collect: "{{ flowContext.imageList[0] }}"
    collectKey: pictures
""",
        """\
- step: FOR
  var: city
  items: [Lisbon, Porto]
  collect: "The old town of {{ flowContext.city }}, picture {{ flowContext.city_index + 1 }}"
  collectKey: prompts
  do:
    - step: SET
      text: "{{ flowContext.city }}"
""",
        """\
- step: FOR
  var: number
  start: 3
  end: 1
  do:
    - step: SET
      text: "{{ flowContext.number }} candles on a cake"
""",
    ),
):
    """Runs `do` for each number from `start` to `end`, both included, or for each of the `items`.

    The variable, and its name with `_index` (from 0), keep their last values after the loop. With `concurrency`
    iterations run side by side, each on its own copy of the FlowContext; what they change is merged in order. After an
    iteration that fails no further one is started; those that run finish, then the first error is raised.
    """

    var: Annotated[str, Verbatim()] = Field(pattern=IDENTIFIER, min_length=1)
    """The FlowContext key that holds the number or item of the iteration."""
    start: int | float | None = None
    """The first number."""
    end: int | float | None = None
    """The last number; it is included."""
    by: int | float | None = None
    """What is added after each iteration, also negative; default: 1 or -1."""
    items: Annotated[list[Any] | None, Deferred()] = None
    """A list, resolved once before the loop. Null from a template is an empty list, a text or a map an error."""
    concurrency: int = Field(default=1, ge=1, le=256)
    """The concurrency limit: how many iterations may run side by side."""
    collect: Annotated[Any, Deferred()] = None
    """A value to keep of each iteration, resolved at its end; one that CONTINUE or BREAK ends gives none."""
    collectKey: Annotated[str | None, Verbatim()] = Field(default=None, pattern=IDENTIFIER)
    """The FlowContext key that holds the list of collected values after the loop."""
    do: Block | None = None
    """Steps of one iteration."""

    async def run(self, ctx: StepContext) -> Signal | None:
        """Runs all iterations."""
        size, value = self._values(ctx)
        side_by_side = self.concurrency > 1
        collected, signal = await (self._side_by_side if side_by_side else self._in_order)(ctx, size, value)
        if self.collectKey is not None:
            ctx.write(self.collectKey, collected)
        return signal

    def _values(self, ctx: StepContext) -> tuple[int, Callable[[int], Any]]:
        """How many iterations there are, and the value of each by its index; none for items that are null."""
        if self.start is not None and self.end is not None:
            return counted(self.start, self.end, self.by)
        items = list(ctx.evaluate("items") or ())
        return len(items), items.__getitem__

    async def _in_order(
        self, ctx: StepContext, size: int, value: Callable[[int], Any]
    ) -> tuple[list[Any], Signal | None]:
        collected: list[Any] = []
        name, number, collects = self.var, f"{self.var}_index", self.collectKey is not None
        with ctx.holding(collected):
            for index in range(size):
                item = value(index)
                ctx.begin(index, item, index, size)
                ctx.write(name, item)
                ctx.write(number, index)
                signal = await ctx.run_block(self.do, iteration=index)
                if signal is None:
                    if collects:
                        collected.append(ctx.evaluate("collect"))
                elif signal is not Signal.CONTINUE:
                    return collected, signal.beyond_loop
                if index % BREATHER == BREATHER - 1:
                    await asyncio.sleep(0)
        return collected, None

    async def _side_by_side(
        self, ctx: StepContext, size: int, value: Callable[[int], Any]
    ) -> tuple[list[Any], Signal | None]:
        kept: dict[int, Any] = {}  # of all iterations, each with its own index: they take turns on one event loop
        done = 0

        async def one(branch: StepContext, index: int) -> Signal | None:
            nonlocal done
            item = value(index)
            branch.begin(index, item, done, size)
            branch.write(self.var, item)
            branch.write(f"{self.var}_index", index)
            signal = await branch.run_block(self.do, iteration=index)
            if signal is None and self.collectKey is not None:
                kept[index] = branch.evaluate("collect")
            done += 1
            return None if signal is Signal.CONTINUE else signal

        with ctx.holding(kept):
            gathered = await gather(ctx, size, one, concurrency=self.concurrency, stop=True)
        signal = gathered.merge(ctx)
        return [kept[index] for index in sorted(kept)], signal
