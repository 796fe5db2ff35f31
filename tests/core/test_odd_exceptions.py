"""Exceptions of a step that Python or asyncio treats specially are crashes of the step, with the result of the run."""

from __future__ import annotations

import asyncio

import pytest

import flowdsl
from flowdsl import Environment, Host, StepError


class Wordless(Exception):
    """Fails to say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


class Paid(flowdsl.Step, name="PAID"):
    """Pays."""

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Spends a quarter."""
        ctx.spend(0.25)


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
        ("{step: PLAIN, how: stop}", "PLAIN failed: StopIteration: it has no text"),
        ("{step: PLAIN, how: words}", "PLAIN failed: Wordless: it has no text"),
        ("{step: THREADED, how: stop}", "THREADED failed: RuntimeError: run raised StopIteration"),
        ("{step: THREADED, how: words}", "THREADED failed: Wordless: it has no text"),
        ("{step: WAITING}", "WAITING failed: CancelledError: it has no text"),
    ],
    ids=["stop", "no words", "stop in a thread", "no words in a thread", "cancelled by nobody"],
)
def test_an_odd_exception_of_a_step_neither_hangs_a_run_nor_loses_its_result(step: str, message: str) -> None:
    flow = Environment(steps=[Plain, Threaded, Waiting]).load(f"- {step}\n")

    async def main() -> StepError:
        async with asyncio.timeout(30):
            with pytest.raises(StepError) as raised:
                await flow.arun()
        return raised.value

    error = asyncio.run(main())
    assert (error.message, error.code, error.path) == (message, "step-crashed", "flow[0]")
    assert error.result.cost_usd == 0.25


def test_a_step_whose_own_task_is_cancelled_can_be_caught() -> None:
    environment = Environment(steps=[Waiting])
    assert environment.run("- {step: TRY, try: [{step: WAITING}], catch: [{step: SET, a: 1}]}\n").outputs["a"] == 1


@pytest.mark.parametrize("error", [Wordless, asyncio.CancelledError], ids=["no words", "a cancellation of its own"])
@pytest.mark.parametrize(
    ("flow", "is_done"),
    [
        ("flow: [{step: PAID}, {step: SET, a: '{{ boom() }}'}]\n", False),
        ("flow: [{step: PAID}]\noutputs: {a: '{{ boom() }}'}", False),
        ("flow: [{step: PAID}, {step: SET, a: 1, monitorLabel: '{{ boom() }}'}]\n", True),
    ],
    ids=["in a step", "in the outputs", "in a label"],
)
def test_an_odd_exception_of_a_function_of_the_host_loses_no_result(
    flow: str, is_done: bool, error: type[BaseException]
) -> None:
    def boom() -> None:
        raise error

    events: list[flowdsl.Event] = []
    environment = Environment(steps=[Paid], host=Host(objects={"boom": boom}))
    if is_done:
        assert environment.run(flow, on_event=events.append).cost_usd == 0.25
        return
    with pytest.raises(flowdsl.RunError) as raised:
        environment.run(flow, on_event=events.append)
    assert raised.value.result.cost_usd == 0.25
    assert error.__name__ in raised.value.message


@pytest.mark.parametrize("error", [Wordless, asyncio.CancelledError], ids=["no words", "a cancellation of its own"])
def test_an_odd_exception_of_a_listener_at_the_end_loses_no_result(error: type[BaseException]) -> None:
    def listen(event: flowdsl.Event) -> None:
        if isinstance(event, flowdsl.FlowFinished):
            raise error

    assert Environment(steps=[Paid]).run("- {step: PAID}\n", on_event=listen).cost_usd == 0.25


def test_no_try_catches_a_listener_whose_exception_has_no_words() -> None:
    def listen(event: flowdsl.Event) -> None:
        if isinstance(event, flowdsl.StepFinished):
            raise Wordless

    with pytest.raises(Wordless):
        Environment(steps=[Paid]).run(
            "- {step: TRY, try: [{step: PAID}], catch: [{step: SET, a: 1}]}\n", on_event=listen
        )
