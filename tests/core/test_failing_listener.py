"""What a listener raises ends the run, as the listener's own; no step is blamed for it, and no TRY catches it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_steps import environment

import flowdsl
from flowdsl import Environment, Event, FlowFinished, Limits, Note, StepFailed, StepFinished, StepStarted, Storage
from flowdsl_steps.image.simulator import Simulator


class Refusal(Exception):
    """What a host raises."""


class Held(flowdsl.Step, name="HELD"):
    """Holds the loop."""

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Sleeps on it."""
        time.sleep(0.12)


TRY = """
flow:
  - step: TRY
    try:
      - step: FOR
        items: [1, 2]
        var: item
        do:
          - {step}
    catch:
      - step: SET
        caught: true
"""
PICTURE = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A boat, quality: low}\n"


def raising(when: Callable[[Event], bool], error: Callable[[], Exception] = Refusal) -> flowdsl.OnEvent:
    def hear(event: Event) -> None:
        if when(event):
            raise error()

    return hear


def at(kind: type, step: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, kind) and event.invocation.step == step


@pytest.mark.parametrize(
    ("step", "when"),
    [
        ("{step: SET, a: 1}", at(StepStarted, "SET")),
        ("{step: SET, a: 1}", at(StepFinished, "SET")),
        ("{step: SET, a: 1}", at(flowdsl.Progress, "FOR")),
        ("{step: FAIL, how: step}", at(StepFailed, "FAIL")),
        ("{step: FAIL, how: crash}", at(StepFailed, "FAIL")),
        ("{step: ECHO, say: hi}", at(Note, "ECHO")),
        ("{step: HELD}", at(Note, "HELD")),
        ("{step: SET, a: 1, monitorLabel: '{{ boom() }}'}", at(Note, "SET")),
    ],
    ids=["begin", "end", "iteration", "failure", "crash", "note", "held loop", "label"],
)
@pytest.mark.parametrize("error", [Refusal, lambda: flowdsl.StepError("no")], ids=["its own", "a step error"])
def test_no_try_catches_what_a_listener_raises(
    step: str, when: Callable[[Event], bool], error: Callable[[], Exception]
) -> None:
    def boom() -> None:
        raise ValueError("no label")

    host = flowdsl.Host(objects={"boom": boom})
    own = Environment(steps=[*environment().steps, Held], host=host)
    with pytest.raises(type(error())):
        own.run(TRY.replace("{step}", step), on_event=raising(when, error))


@pytest.mark.parametrize("limits", [Limits(), Limits(timeout_s=60)], ids=["no deadline", "a deadline"])
def test_a_timeout_error_of_a_listener_is_no_deadline(limits: Limits) -> None:
    with pytest.raises(TimeoutError, match="the queue is full"):
        Environment(limits=limits).run(
            "- {step: SET, a: 1}\n",
            on_event=raising(at(StepFinished, "SET"), lambda: TimeoutError("the queue is full")),
        )


def test_workers_side_by_side_that_a_listener_ends_leave_no_exception_behind() -> None:
    said: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
        flow = "- {step: FOR, items: [1, 2, 3], var: item, concurrency: 3, do: [{step: SLEEP, delay: 20}]}\n"
        with pytest.raises(Refusal):
            await flowdsl.arun(flow, on_event=raising(at(flowdsl.Progress, "FOR")))
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert said == []


def test_a_listener_that_fails_at_a_picture_outside_the_manifest_does_not_lose_the_result(tmp_path: Path) -> None:
    said: list[Any] = []
    ended: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Note) and event.code == "picture-unnamed":
            raise Refusal
        if isinstance(event, FlowFinished):
            ended.append(event.status)

    async def run(own: Environment) -> flowdsl.Result:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context["exception"]))
        return await own.arun(PICTURE, on_event=hear)

    with Simulator() as simulator:
        entry = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}
        own = Environment(services={"OPENAI_IMAGE_GENERATION": entry}, storage=Storage(images=tmp_path))
        (tmp_path / ".originals" / ".lock").mkdir(parents=True)
        result = asyncio.run(run(own))
    assert (len(result.made), ended) == (1, ["done"])
    assert result.cost_usd
    assert said and {type(error) for error in said} == {Refusal}


def test_a_picture_outside_the_manifest_is_noted_in_the_result_without_a_listener(tmp_path: Path) -> None:
    with Simulator() as simulator:
        entry = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}
        own = Environment(services={"OPENAI_IMAGE_GENERATION": entry}, storage=Storage(images=tmp_path))
        (tmp_path / ".originals" / ".lock").mkdir(parents=True)
        result = own.run(PICTURE)
    assert "picture-unnamed" in [code for code, _ in result.notes]


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, GeneratorExit, StopIteration], ids=["cancellation", "closing", "stop"]
)
def test_a_cancellation_that_a_listener_raises_is_a_failure_and_no_cancelled_run(error: type[BaseException]) -> None:
    ended: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, FlowFinished):
            ended.append(event.status)
        elif isinstance(event, StepFinished):
            raise error

    async def main() -> None:
        task = asyncio.create_task(flowdsl.arun("- {step: SET, a: 1}\n", on_event=hear))
        with pytest.raises(flowdsl.RunError, match=f"the listener failed: {error.__name__}") as raised:
            await task
        assert (raised.value.code, raised.value.result.steps) == ("listener-failed", 1)
        assert (task.cancelled(), ended) == (False, ["failed"])

    asyncio.run(main())


def test_a_listener_that_fails_at_every_event_is_told_of_once() -> None:
    said: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
        with pytest.raises(Refusal):
            await flowdsl.arun("- {step: SET, a: 1}\n", on_event=raising(lambda event: True))

    asyncio.run(main())
    assert said == []
