"""Exceptions of a step that Python or asyncio treats specially are crashes of the step, with the result of the run."""

from __future__ import annotations

import asyncio

import pytest

import flowdsl
from flowdsl import Environment, StepError


class Wordless(Exception):
    """Fails to say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


class Plain(flowdsl.Step, name="PLAIN"):
    """Raises at once."""

    how: str
    """What."""

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Pays, and raises."""
        ctx.spend(0.25)
        raise StopIteration if self.how == "stop" else Wordless


class Threaded(Plain, name="THREADED", blocking=True):
    """Raises in a thread."""


class Waiting(flowdsl.Step, name="WAITING"):
    """Waits for something that somebody cancels."""

    async def run(self, ctx: flowdsl.StepContext) -> None:
        """Pays, and waits."""
        ctx.spend(0.25)
        task = asyncio.create_task(asyncio.sleep(10))
        asyncio.get_running_loop().call_soon(task.cancel)
        await task


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{step: PLAIN, how: stop}", "PLAIN failed: StopIteration: "),
        ("{step: PLAIN, how: words}", "PLAIN failed: Wordless: it has no text"),
        ("{step: THREADED, how: stop}", "THREADED failed: RuntimeError: run raised StopIteration"),
        ("{step: THREADED, how: words}", "THREADED failed: Wordless: it has no text"),
        ("{step: WAITING}", "WAITING failed: CancelledError: "),
    ],
    ids=["stop", "no words", "stop in a thread", "no words in a thread", "cancelled by nobody"],
)
def test_an_odd_exception_of_a_step_neither_hangs_a_run_nor_loses_its_result(step: str, message: str) -> None:
    flow = Environment(steps=[Plain, Threaded, Waiting]).load(f"- {step}\n")

    async def main() -> StepError:
        async with asyncio.timeout(5):
            with pytest.raises(StepError) as raised:
                await flow.arun()
        return raised.value

    error = asyncio.run(main())
    assert (error.message, error.code, error.path) == (message, "step-crashed", "flow[0]")
    assert error.result.cost_usd == 0.25


def test_a_step_whose_own_task_is_cancelled_can_be_caught() -> None:
    environment = Environment(steps=[Waiting])
    assert environment.run("- {step: TRY, try: [{step: WAITING}], catch: [{step: SET, a: 1}]}\n").outputs["a"] == 1
