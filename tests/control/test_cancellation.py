"""Cancellation reaches everything that runs; nothing catches it, and `finally` still runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import flowdsl
from control.steps import Gauge, hang_step
from flowdsl.testing import Recorder


def cancelled(
    text: str, steps: tuple[type[flowdsl.Step], ...] = (), when: Callable[[], bool] = lambda: True
) -> tuple[list[str], Recorder]:
    """Runs a flow and cancels it once `when` holds; gives the names that were emitted, and the events."""
    emitted: list[str] = []
    recorder = Recorder()
    environment = flowdsl.Environment(steps=steps, host=flowdsl.Host(sink=lambda name, _: emitted.append(name)))
    flow = environment.load(text)

    async def run() -> None:
        task = asyncio.create_task(flow.arun(on_event=recorder))
        await asyncio.sleep(0)
        while not (recorder.events and when()):  # noqa: ASYNC110  a count is waited for, and no event says it
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), 30))
    return emitted, recorder


def test_cancelling_ends_a_sleep_at_once_and_is_no_error() -> None:
    emitted, recorder = cancelled("""
onError:
  - {step: EMIT_EVENT, name: on-error}
flow:
  - step: TRY
    try: [{step: SLEEP, delay: 600000}]
    catch: [{step: EMIT_EVENT, name: caught}]
    finally: [{step: EMIT_EVENT, name: finally}]
  - {step: EMIT_EVENT, name: after}
""")
    assert emitted == ["finally"]
    assert recorder.names() == ["StepStarted", "StepStarted", "StepStarted", "Emitted", "StepFinished", "FlowFinished"]
    finished = recorder.events[-1]
    assert isinstance(finished, flowdsl.FlowFinished) and finished.status == "cancelled" and finished.error is None


def test_finally_may_wait_when_the_run_is_cancelled() -> None:
    emitted, _ = cancelled("""
- step: TRY
  try: [{step: SLEEP, delay: 600000}]
  finally:
    - {step: SLEEP, delay: 1}
    - {step: EMIT_EVENT, name: cleaned}
""")
    assert emitted == ["cleaned"]


def test_an_error_in_finally_does_not_hide_the_cancellation() -> None:
    _, recorder = cancelled("""
- step: TRY
  try:
    - step: TRY
      try: [{step: SLEEP, delay: 600000}]
      finally: [{step: RAISE, message: cleaning failed}]
  catch: [{step: SET, caught: true}]
""")
    notes = [event for event in recorder.events if isinstance(event, flowdsl.Note)]
    assert [(note.path, note.code, note.text) for note in notes] == [
        ("flow[0].try[0]", "finally-failed", "cleaning failed")
    ]


@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_cancelling_a_for_cancels_the_iterations_that_run_and_starts_no_other(concurrency: int) -> None:
    gauge = Gauge()
    emitted, _ = cancelled(
        f"""
- step: FOR
  var: i
  start: 1
  end: 9
  concurrency: {concurrency}
  do:
    - step: TRY
      try: [{{step: HANG}}]
      finally: [{{step: EMIT_EVENT, name: cleaned}}]
""",
        (hang_step(gauge),),
        lambda: gauge.now == concurrency,
    )
    assert gauge.cancelled == gauge.now == concurrency
    assert emitted == ["cleaned"] * concurrency


def test_cancelling_a_parallel_cancels_every_list_and_waits_for_it() -> None:
    gauge = Gauge()
    emitted, _ = cancelled(
        """
- step: PARALLEL
  steps:
    - - step: TRY
        try: [{step: HANG}]
        finally: [{step: SLEEP, delay: 1}, {step: EMIT_EVENT, name: first}]
    - - step: HANG
    - - step: EMIT_EVENT
        name: third
""",
        (hang_step(gauge),),
        lambda: gauge.now == 2,
    )
    assert gauge.cancelled == 2
    assert emitted == ["third", "first"]


def test_cancelling_ends_the_wait_before_a_repetition() -> None:
    class Refuse(flowdsl.Step, name="REFUSE"):
        """Fails as a service that is busy."""

        def run(self, ctx: flowdsl.StepContext) -> None:
            """Fails."""
            raise flowdsl.ServiceRateLimited("busy", retryable=True)

    emitted, recorder = cancelled(
        """
- step: TRY
  retry: {max: 3, delayMs: 600000, maxDelayMs: 600000}
  try: [{step: REFUSE}]
  catch: [{step: EMIT_EVENT, name: caught}]
""",
        (Refuse,),
    )
    assert emitted == []
    assert recorder.names().count("StepFailed") == 1


@pytest.mark.parametrize("loop", ["FOR, var: i, start: 1, end: 1000000000000", "WHILE, condition: true, do: []"])
def test_a_loop_over_nothing_can_be_cancelled(loop: str) -> None:
    limit = ", max: 1000000000000" if loop.startswith("WHILE") else ""
    emitted, _ = cancelled(f"- {{step: {loop}{limit}}}\n- {{step: EMIT_EVENT, name: after}}\n")
    assert emitted == []


def test_cancelling_reaches_through_calls_inside_calls() -> None:
    gauge = Gauge()
    names = [f"f{depth}" for depth in range(12)]
    flows = "".join(
        f"    {name}: [{{step: TRY, try: [{{step: CALL_FLOW, ref: local.flows.{below}}}], "
        f"finally: [{{step: EMIT_EVENT, name: {name}}}]}}]\n"
        for name, below in zip(names, [*names[1:], "last"], strict=True)
    )
    emitted, _ = cancelled(
        f"blocks:\n  flows:\n{flows}    last: [{{step: HANG}}]\nflow: [{{step: CALL_FLOW, ref: local.flows.f0}}]\n",
        (hang_step(gauge),),
        lambda: gauge.now == 1,
    )
    assert gauge.cancelled == 1
    assert emitted == names[::-1]


class SlowToEnd(flowdsl.Step, name="SLOW_TO_END"):
    """Cleans up for a while when it is cancelled."""

    async def run(self, ctx: flowdsl.StepContext) -> None:
        """Waits, and cleans up."""
        try:
            await asyncio.sleep(600)
        finally:
            ctx.progress("cleaning")
            await asyncio.sleep(0.1)
            ctx.progress("cleaned")


@pytest.mark.parametrize("timeout_s", [None, 0.3], ids=["cancelled before", "past its deadline"])  # time to begin
def test_a_second_cancellation_leaves_nothing_running_behind_the_end(timeout_s: float | None) -> None:
    recorder = Recorder()
    environment = flowdsl.Environment(steps=[SlowToEnd], limits=flowdsl.Limits(timeout_s=timeout_s))
    flow = environment.load("- {step: FOR, var: i, items: [1, 2], concurrency: 2, do: [{step: SLOW_TO_END}]}\n")

    async def run() -> None:
        task = asyncio.create_task(flow.arun(on_event=recorder))
        while recorder.names().count("StepStarted") < 3:  # noqa: ASYNC110  a count is waited for, and no event says it
            await asyncio.sleep(0)
        if timeout_s is None:
            task.cancel()
        while recorder.names().count("Progress") < 4:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert recorder.names()[-1] == "FlowFinished"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
