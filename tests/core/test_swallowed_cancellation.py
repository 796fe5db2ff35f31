"""A step that catches its cancellation and goes on does not keep the host from ending the run."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

import flowdsl
from flowdsl import Step, StepContext

begun = asyncio.Event()


class Deaf(Step, name="DEAF"):
    """Waits for what never comes, and takes its cancellation for the end of that."""

    async def run(self, ctx: StepContext) -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


class Patient(Step, name="PATIENT"):
    """Gives up what takes too long, by means that cancel and take the cancellation back."""

    async def run(self, ctx: StepContext) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()


FLOW = """
- step: SET
  before: 1
- step: {step}
- step: SET
  after: 1
"""


def loaded(step: type[Step]) -> flowdsl.Flow:
    environment = flowdsl.Environment(steps=[step])
    return flowdsl.load(FLOW.format(step=step.__name__.upper()), environment=environment)


def test_a_run_ends_as_cancelled_after_a_step_that_swallows_its_cancellation() -> None:
    events: list[flowdsl.Event] = []

    async def cancelled() -> flowdsl.Result:
        global begun
        begun = asyncio.Event()
        task = asyncio.create_task(loaded(Deaf).arun({}, on_event=events.append))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as ended:
            await task
        result: flowdsl.Result = ended.value.result  # type: ignore[attr-defined]
        return result

    result = asyncio.run(cancelled())
    assert dict(result.context) == {"before": 1}
    assert isinstance(events[-1], flowdsl.FlowFinished)
    assert events[-1].status == "cancelled"


def test_a_deadline_counts_for_a_step_that_swallows_its_cancellation() -> None:
    async def late() -> None:
        global begun
        begun = asyncio.Event()
        limits = flowdsl.Limits(timeout_s=0.01)
        await loaded(Deaf).arun({}, limits=limits)

    with pytest.raises(flowdsl.LimitExceeded) as ended:
        asyncio.run(late())
    assert ended.value.code == "deadline"


def test_a_timeout_of_its_own_inside_a_step_ends_no_run() -> None:
    result = asyncio.run(loaded(Patient).arun({}))
    assert dict(result.context) == {"before": 1, "after": 1}
