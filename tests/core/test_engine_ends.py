"""How runs end: cancelled, out of time or steps, streamed, side by side; and what is left then."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import Any

import pytest
from engine_steps import LOG, environment, shown, until_opened

from flowdsl import (
    FlowFinished,
    LimitExceeded,
    Limits,
    Note,
    Progress,
    Result,
    StepError,
    StepFailed,
    StepFinished,
    StepStarted,
    UsageError,
)
from flowdsl.testing import Recorder


def test_cancelling_reaches_the_step_closes_what_is_open_and_is_reported() -> None:
    async def main() -> None:
        events = Recorder()
        flow = environment().load("- step: WAIT\n  seconds: 30\n  log: cancelled\n")
        task = asyncio.create_task(flow.arun(on_event=events))
        await until_opened("cancelled")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert LOG["cancelled"] == ["opened", "closed"]
        assert [shown(event) for event in events.events] == [
            ("StepStarted", "WAIT", "flow[0]", None),
            ("FlowFinished", "cancelled", 0, 0.0, None),
        ]

    asyncio.run(main())


def test_a_flow_that_never_waits_can_be_cancelled() -> None:
    async def main() -> None:
        flow = environment().load("- step: SET\n  a: 1\n" * 5000)
        task = asyncio.create_task(flow.arun())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "step", "path"),
    [
        ("- step: WAIT\n  seconds: 30\n  log: deadline\n", "WAIT", "flow[0]"),
        ("- step: SET\n  steps:\n  - step: WAIT\n    seconds: 30\n    log: deadline\n", "WAIT", "flow[0].steps[0]"),
        ("- step: SET\n  steps:\n" + "  - step: BUSY\n" * 60, "BUSY", None),
    ],
    ids=["waiting", "waiting inside", "busy"],
)
def test_the_deadline_ends_a_run(text: str, step: str, path: str | None) -> None:
    events = Recorder()
    with pytest.raises(LimitExceeded) as raised:
        environment(limits=Limits(timeout_s=0.05)).run(text, on_event=events)
    error = raised.value
    assert (str(error), error.code, error.step) == ("the run took longer than 0.05 s", "deadline", step)
    assert path in (None, error.path)
    assert error.span is not None
    assert error.span.text == step
    last = events.events[-1]
    assert isinstance(last, FlowFinished)
    assert (last.status, last.error) == ("failed", error)
    assert LOG.get("deadline", [])[-1:] in ([], ["closed"])


def test_the_number_of_steps_is_limited() -> None:
    limited = environment(limits=Limits(steps=2))
    assert limited.run("- step: SET\n  a: 1\n" * 2).steps == 2
    with pytest.raises(LimitExceeded) as raised:
        limited.run("- step: SET\n  a: 1\n" * 3)
    assert (str(raised.value), raised.value.code, raised.value.path) == (
        "the run has more than 2 steps",
        "too-many-steps",
        "flow[2]",
    )


def test_run_inside_a_running_loop_says_what_to_do() -> None:
    async def main() -> None:
        with pytest.raises(UsageError) as raised:
            environment().run("- step: SET\n  a: 1\n")
        assert str(raised.value) == "an event loop is running here: use `await flow.arun(...)`"

    asyncio.run(main())


def test_an_exception_of_the_listener_is_the_listeners_own() -> None:
    def listen(event: Any) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        environment().run("- step: SET\n  a: 1\n", on_event=listen)


def test_a_stream_gives_the_events_and_then_the_result() -> None:
    async def main() -> None:
        flow = environment().load("- step: ECHO\n  say: hi\n")
        items = [item async for item in flow.stream()]
        assert [type(item) for item in items] == [StepStarted, Progress, Note, StepFinished, FlowFinished, Result]
        assert isinstance(items[-1], Result)
        assert items[-1].outputs == {"text": "hi"}

    asyncio.run(main())


def test_a_stream_of_a_failing_run_gives_the_events_and_then_raises() -> None:
    async def main() -> None:
        seen = []
        with pytest.raises(StepError, match="cannot draw"):
            async for item in environment().load("- step: FAIL\n  how: step\n").stream():
                seen.append(type(item))
        assert seen == [StepStarted, StepFailed, FlowFinished]

    asyncio.run(main())


def test_closing_a_stream_early_cancels_the_run() -> None:
    async def main() -> None:
        flow = environment().load("- step: WAIT\n  seconds: 30\n  log: streamed\n")
        async with aclosing(flow.stream()) as stream:
            async for _ in stream:
                await until_opened("streamed")
                break
        assert LOG["streamed"] == ["opened", "closed"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_runs_of_one_flow_at_the_same_time_share_nothing() -> None:
    text = (
        "inputs: {n: {type: integer}, list: {default: [0]}}\n"
        "flow:\n"
        "- step: WAIT\n  seconds: 0.01\n  say: '{{ inputs.n | string }}'\n"
        "- step: SET\n  found: '{{ flowContext.text }}-{{ inputs.n }}'\n"
    )
    flow = environment().load(text)

    async def main() -> list[Result]:
        return await asyncio.gather(*(flow.arun({"n": n}) for n in range(50)))

    results = asyncio.run(main())
    assert [result.context["found"] for result in results] == [f"{n}-{n}" for n in range(50)]
    results[0].context["list"].append(1)
    assert [result.context["list"] for result in results[1:]] == [[0]] * 49
    assert flow.run({"n": 1}).context["list"] == [0]


def test_an_open_environment_keeps_things_open_between_runs() -> None:
    async def main() -> None:
        text = "- step: WAIT\n  log: shared\n"
        async with environment() as shared:
            await shared.arun(text)
            await shared.arun(text)
            assert LOG["shared"] == ["opened"]
            with pytest.raises(UsageError, match=r"^this Environment is open already$"):
                await shared.__aenter__()
        assert LOG["shared"] == ["opened", "closed"]
        await shared.arun(text)
        assert LOG["shared"] == ["opened", "closed", "opened", "closed"]

    asyncio.run(main())


def test_an_open_environment_serves_runs_in_other_threads_too() -> None:
    async def main() -> None:
        async with environment() as shared:
            flow = shared.load("- step: WAIT\n  seconds: 0.01\n  log: threads\n")
            await flow.arun()
            results = await asyncio.gather(*(asyncio.to_thread(flow.run) for _ in range(4)), flow.arun())
            assert [result.outputs["text"] for result in results] == ["waited"] * 5
            assert Counter(LOG["threads"]) == {"opened": 5, "closed": 4}  # one for the loop, one for each thread
        assert Counter(LOG["threads"]) == {"opened": 5, "closed": 5}

    asyncio.run(main())


def test_an_environment_may_be_open_in_several_loops_at_once() -> None:
    shared = environment()
    flow = shared.load("- step: WAIT\n  log: loops\n")

    async def twice() -> None:
        async with shared:
            await flow.arun()
            await flow.arun()

    async def main() -> None:
        async with shared:
            await flow.arun()
            await asyncio.to_thread(asyncio.run, twice())
            await flow.arun()

    asyncio.run(main())
    assert Counter(LOG["loops"]) == {"opened": 2, "closed": 2}
