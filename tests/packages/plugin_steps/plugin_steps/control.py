"""A step for each flow shape, with keys of names that no standard step has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Any

from pydantic import ConfigDict, Field

import flowdsl
from flowdsl import (
    Assign,
    AtLeastOne,
    Block,
    Call,
    Choice,
    Condition,
    Deferred,
    ErrorValue,
    Exit,
    LimitExceeded,
    Loop,
    RunError,
    Signal,
    Step,
    StepContext,
    Verbatim,
    Written,
    gather,
    holds,
)


class Each(Step, name="EACH", flow=Loop(body="body", items="values", item="as")):
    """Runs `body` for each value."""

    values: list[Any]
    """The values."""
    as_: Annotated[str, Verbatim()] = Field(alias="as")
    """The FlowContext key of the value."""
    body: Block
    """Steps of one iteration."""

    async def run(self, ctx: StepContext) -> Signal | None:
        for value in self.values:
            ctx.write(self.as_, value)
            signal = await ctx.run_block(self.body)
            if signal not in (None, Signal.CONTINUE):
                return signal.beyond_loop
        return None


class Until(
    Step,
    name="UNTIL",
    rules=(AtLeastOne("enough"),),
    flow=Loop(body="again", index="{count}", collect=("keep", "kept"), concurrent="lanes", least=1),
):
    """Runs `again` until a condition, which it resolves itself after each iteration, is true."""

    again: Block
    """Steps of one iteration."""
    enough: Annotated[Any, Condition(), Deferred()] = None
    """What ends it; it can read what the iteration set."""
    count: Annotated[str, Verbatim()] = "turn"
    """The FlowContext key of the iteration's number."""
    keep: Annotated[Any, Deferred()] = None
    """A value to keep of each iteration."""
    kept: Annotated[str | None, Verbatim()] = None
    """The FlowContext key of the kept values."""
    lanes: int = Field(default=1, ge=1, le=1)
    """The concurrency limit of the iterations: one."""

    async def run(self, ctx: StepContext) -> Signal | None:
        values: list[Any] = []
        signal = None
        while signal in (None, Signal.CONTINUE):
            ctx.write(self.count, len(values))
            signal = await ctx.run_block(self.again)
            values.append(ctx.evaluate("keep"))
            if holds(ctx.evaluate("enough")):
                break
        if self.kept is not None:
            ctx.write(self.kept, values)
        return signal.beyond_loop if signal is not None else None


class Spread(Step, name="SPREAD", flow=Loop(body="task", items="over", item="call", concurrent="lanes")):
    """Runs `task` for each item, several side by side."""

    over: list[Any]
    """The items."""
    call: Annotated[str, Verbatim()] = "it"
    """The FlowContext key of the item."""
    lanes: int = 4
    """The concurrency limit."""
    task: Block
    """Steps of one iteration."""

    async def run(self, ctx: StepContext) -> Signal | None:
        async def one(branch: StepContext, index: int) -> Signal | None:
            branch.write(self.call, self.over[index])
            return await branch.run_block(self.task)

        return (await gather(ctx, len(self.over), one, concurrency=self.lanes, stop=True)).merge(ctx)


class Stop(Step, name="STOP", flow=Exit(Signal.END)):
    """Ends the run."""

    def run(self, ctx: StepContext) -> Signal:
        return Signal.END


class Leave(Step, name="LEAVE", flow=Exit(Signal.BREAK, when="full")):
    """Leaves a loop, when it is `full`."""

    full: Annotated[Any, Condition(), Deferred()] = None
    """When."""

    def run(self, ctx: StepContext) -> Signal | None:
        return Signal.BREAK if "full" not in ctx.given or holds(ctx.evaluate("full")) else None


class Guard(Step, name="GUARD", flow=flowdsl.Try(body="risky", catch="rescue", final="tidy", error="trouble")):
    """Runs `risky`, after an error `rescue`, at the end `tidy`."""

    risky: Block
    """Steps that may fail."""
    rescue: Block | None = None
    """Steps after an error."""
    tidy: Block | None = None
    """Steps at the end."""
    report: Annotated[Any, Deferred()] = None
    """What is emitted to the host after all of them."""

    async def run(self, ctx: StepContext) -> Signal | None:
        try:
            signal = await ctx.run_block(self.risky)
        except (LimitExceeded, asyncio.CancelledError):
            raise
        except RunError as error:
            ctx.write("trouble", ErrorValue(error))
            signal = await ctx.run_block(self.rescue)
        signal = await ctx.run_block(self.tidy) or signal
        if "report" in ctx.given:
            ctx.emit("GUARD", ctx.evaluate("report"))
        return signal


class Both(Step, name="BOTH", outputs=("list",), flow=flowdsl.Parallel(blocks=("left", "right"))):
    """Runs `left` and `right` side by side, and gives the names of the two."""

    left: Block
    """The first block."""
    right: Block
    """The second block."""

    async def run(self, ctx: StepContext) -> Written:
        blocks = (self.left, self.right)

        def one(branch: StepContext, index: int) -> Awaitable[Signal | None]:
            return branch.run_block(blocks[index])

        signal = (await gather(ctx, len(blocks), one, concurrency=2)).merge(ctx)
        return signal or {"list": ["left", "right"]}


class Coin(
    Step, name="COIN", rules=(AtLeastOne("shows"),), flow=Choice(on=("shows",), then="heads", otherwise="tails")
):
    """Runs `heads` or `tails`."""

    shows: Annotated[Any, Condition(), Deferred()] = None
    """True for heads."""
    heads: Block
    """Steps for heads."""
    tails: Block | None = None
    """Steps for tails."""

    def run(self, ctx: StepContext) -> Awaitable[Signal | None]:
        return ctx.run_block(self.heads if holds(ctx.evaluate("shows")) else self.tails)


class Pick(Step, name="PICK", flow=flowdsl.Switch(on=("by",), cases="of", default="rest")):
    """Runs one of many blocks."""

    by: Any
    """The name of the block."""
    of: dict[str, Block]
    """The blocks; `rest` is for every other name."""

    def run(self, ctx: StepContext) -> Awaitable[Signal | None]:
        return ctx.run_block(self.of.get(str(self.by), self.of.get("rest")))


class Goto(Step, name="GOTO", flow=Call(ref="flow")):
    """Runs a flow of the blocks."""

    flow: str
    """Its dot path."""

    def run(self, ctx: StepContext) -> Awaitable[Signal | None]:
        return ctx.call_flow(ref=self.flow)


class FirstThen(Step, name="FIRST_THEN", flow=flowdsl.Sequence(blocks=("first", "second"))):
    """Runs two blocks in order."""

    first: Block
    """The first."""
    second: Block
    """The second."""

    async def run(self, ctx: StepContext) -> Signal | None:
        return await ctx.run_block(self.first) or await ctx.run_block(self.second)


class Let(Step, name="LET", flow=Assign(sources=("be", "from"), name="the", result="found")):
    """Sets one variable, to a value or to what some steps find."""

    the: Annotated[str, Verbatim()]
    """The FlowContext key."""
    be: Any = None
    """Its value."""
    from_: Block | None = Field(default=None, alias="from")
    """Steps that leave the value under `found`."""

    async def run(self, ctx: StepContext) -> Signal | None:
        signal = await ctx.run_block(self.from_)
        ctx.write(self.the, ctx.flow_context.get("found") if self.from_ is not None else self.be)
        return signal


class Put(Step, name="PUT", flow=Assign(keys="others")):
    """Sets every key that is not its own."""

    model_config = ConfigDict(extra="allow")
    loud: bool = False
    """Whether texts are set in capitals."""

    def run(self, ctx: StepContext) -> None:
        for key, value in (self.model_extra or {}).items():
            ctx.write(key, value.upper() if self.loud and isinstance(value, str) else value)
