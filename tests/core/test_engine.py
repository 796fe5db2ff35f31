"""The engine: what happens in which order, what is told, and what is left when a run ends early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

import flowdsl
from flowdsl import (
    Environment,
    FlowFinished,
    LimitExceeded,
    Limits,
    Note,
    Port,
    Progress,
    Result,
    Step,
    StepContext,
    StepError,
    StepFailed,
    StepFinished,
    StepStarted,
    UsageError,
    Written,
)
from flowdsl.testing import Recorder

LOG: dict[str, list[str]] = {}
"""What the resources of these steps did, by the name each test gives."""


@asynccontextmanager
async def logged(log: str) -> AsyncIterator[str]:
    LOG.setdefault(log, []).append("opened")
    try:
        yield "open"
    finally:
        LOG[log].append("closed")


class Echo(Step, name="ECHO", inputs=("text",), outputs=("text", Port("object", optional=True)), writes_to="key"):
    """Return a text, at once."""

    say: str | None = None
    """The text; the input when absent."""
    key: str = "text"
    """Where it goes."""

    def run(self, ctx: StepContext) -> Written:
        ctx.progress("echoing", 1, 2)
        ctx.note("echo", "a note", {"n": 1})
        ctx.spend(0.25)
        return {"text": self.say or ctx.input("text"), "object": {"asked": list(ctx.outputs)}}


class Wait(Step, name="WAIT", outputs=("text",)):
    """Wait with a shared thing open."""

    seconds: float = 0.0
    """How long."""
    log: str = "nobody"
    """Where to log."""
    say: str = "waited"
    """What to return."""

    async def run(self, ctx: StepContext) -> Written:
        await ctx.resource(("thing", self.log), lambda: logged(self.log))
        await asyncio.sleep(self.seconds)
        return {"text": self.say}


class Busy(Step, name="BUSY"):
    """Compute for a while without waiting."""

    def run(self, ctx: StepContext) -> Written:
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        return None


class Fail(Step, name="FAIL", outputs=("text",)):
    """Fail in one of several ways."""

    how: str
    """Which."""

    def run(self, ctx: StepContext) -> Written:
        if self.how == "crash":
            raise ValueError("no such colour")
        if self.how == "timeout":
            raise TimeoutError("too slow")
        if self.how == "undeclared":
            return {"image": 1}
        raise StepError("cannot draw", hint="draw less")


async def until_opened(log: str) -> None:
    async with asyncio.timeout(10):
        while log not in LOG:  # noqa: ASYNC110  the step that opens runs in the loop as well
            await asyncio.sleep(0)


STEPS = (Echo, Wait, Busy, Fail)


def environment(**options: Any) -> Environment:
    return Environment(steps=STEPS, **options)


def untimed(event: Any) -> Any:
    """An event without its times."""
    return event._replace(at_s=0.0, **({"elapsed_s": 0.0} if hasattr(event, "elapsed_s") else {}))


def test_events_come_in_order_and_say_what_happened() -> None:
    text = (
        "- step: ECHO\n  say: one\n  monitorLabel: 'say {{ 1 + 1 }}'\n"
        "- step: SET\n  steps:\n  - step: WAIT\n    say: two\n"
    )
    events = Recorder()
    result = environment().run(text, on_event=events)
    assert [untimed(event) for event in events.events] == [
        StepStarted("ECHO", "flow[0]", 0.0, "say 2"),
        Progress("ECHO", "flow[0]", 0.0, "echoing", 1, 2),
        Note("ECHO", "flow[0]", 0.0, "echo", "a note", {"n": 1}),
        StepFinished("ECHO", "flow[0]", 0.0, 0.0, ("text",)),
        StepStarted("SET", "flow[1]", 0.0),
        StepStarted("WAIT", "flow[1].steps[0]", 0.0),
        StepFinished("WAIT", "flow[1].steps[0]", 0.0, 0.0, ("text",)),
        StepFinished("SET", "flow[1]", 0.0, 0.0, ("text",)),
        FlowFinished("done", 0.0, 3, 0.25),
    ]
    times = [event.at_s for event in events.events]
    assert times == sorted(times)
    assert (result.outputs, result.steps, result.cost_usd) == ({"text": "two"}, 3, 0.25)


def test_a_failure_is_told_with_its_place() -> None:
    events = Recorder()
    with pytest.raises(StepError) as raised:
        environment().run("- step: SET\n  a: 1\n- step: FAIL\n  how: step\n", on_event=events)
    error = raised.value
    assert (str(error), error.hint, error.step, error.path, str(error.span)) == (
        "cannot draw",
        "draw less",
        "FAIL",
        "flow[1]",
        "<text>:3:9",
    )
    assert [untimed(event) for event in events.events[-2:]] == [
        StepFailed("FAIL", "flow[1]", 0.0, 0.0, error),
        FlowFinished("failed", 0.0, 1, 0.0, error),
    ]


def test_an_error_in_a_block_is_told_by_each_step_around_it_and_keeps_its_own_place() -> None:
    events = Recorder()
    with pytest.raises(StepError) as raised:
        environment().run("- step: SET\n  steps:\n  - step: FAIL\n    how: step\n", on_event=events)
    assert (raised.value.step, raised.value.path) == ("FAIL", "flow[0].steps[0]")
    assert [(event.path, event.error) for event in events.events if isinstance(event, StepFailed)] == [
        ("flow[0].steps[0]", raised.value),
        ("flow[0]", raised.value),
    ]


@pytest.mark.parametrize(
    ("how", "message", "cause"),
    [
        ("crash", "FAIL failed: ValueError: no such colour", ValueError),
        ("timeout", "FAIL failed: TimeoutError: too slow", TimeoutError),
    ],
)
def test_a_foreign_exception_is_wrapped_once(how: str, message: str, cause: type[Exception]) -> None:
    with pytest.raises(StepError) as raised:
        environment().run(f"- step: SET\n  steps:\n  - step: FAIL\n    how: {how}\n")
    assert (str(raised.value), raised.value.code, type(raised.value.__cause__)) == (message, "step-crashed", cause)


def test_an_output_that_was_not_declared_is_an_error() -> None:
    with pytest.raises(StepError) as raised:
        environment().run("- step: FAIL\n  how: undeclared\n")
    assert (str(raised.value), raised.value.hint, raised.value.path) == (
        "FAIL returned `image`, which is not among its outputs",
        "declare it: outputs=('text', 'image')",
        "flow[0]",
    )


@pytest.mark.parametrize(
    ("options", "context"),
    [
        ("", {"text": "hi"}),
        ("key: said", {"said": "hi"}),
        ("outputs: [{type: text, name: said}]", {"said": "hi"}),
        (
            "outputs: [{type: object, name: meta}, {type: text, name: t}]",
            {"t": "hi", "meta": {"asked": ["object", "text"]}},
        ),
        ("outputs: [{type: object, name: meta}]", {"meta": {"asked": ["object"]}}),
    ],
)
def test_outputs_go_where_the_author_wants_them(options: str, context: dict[str, Any]) -> None:
    result = environment().run(f"- step: ECHO\n  say: hi\n  {options}\n")
    assert result.context == context


def test_inputs_come_from_where_the_author_says() -> None:
    text = (
        "- step: SET\n  selected: {titles: [a, b]}\n"
        "- step: ECHO\n  inputs: [{type: text, name: selected.titles.1}]\n  key: said\n"
    )
    assert environment().run(text).context["said"] == "b"


def test_a_templated_option_is_judged_when_it_is_resolved() -> None:
    with pytest.raises(flowdsl.ConfigError) as raised:
        environment().run("- step: SET\n  k: [1]\n- step: ECHO\n  say: '{{ flowContext.k }}'\n")
    error = raised.value
    assert (str(error), error.code, error.path, str(error.span)) == (
        "`say` takes a text, not a list of 1",
        "wrong-type",
        "flow[1]",
        "<text>:4:8",
    )


def test_a_template_that_fails_is_told_at_its_own_characters() -> None:
    with pytest.raises(flowdsl.TemplateError) as raised:
        environment().run("- step: SET\n  a: ~\n- step: ECHO\n  say: 'x {{ flowContext.a.b.c | json }}'\n")
    assert raised.value.span is not None
    assert (raised.value.step, raised.value.path, raised.value.span.first.line) == ("ECHO", "flow[1]", 4)


def test_a_label_that_fails_is_a_note_whether_or_not_anybody_listens() -> None:
    flow = environment().load("- step: ECHO\n  say: hi\n  monitorLabel: '{{ range(1, 99999999) }}'\n")
    events = Recorder()
    assert flow.run(on_event=events).outputs == flow.run().outputs == {"text": "hi"}
    note, started = events.events[:2]
    assert isinstance(note, Note)
    assert note.text.startswith("the monitorLabel fails: ")
    assert (note.code, untimed(started)) == ("label-failed", StepStarted("ECHO", "flow[0]", 0.0, None))


def test_an_output_that_fails_ends_the_run_as_failed() -> None:
    text = "inputs: {a: {default: [1]}}\noutputs: {x: '{{ range(1, 99999999) }}'}\nflow:\n- step: ECHO\n  say: hi\n"
    events = Recorder()
    with pytest.raises(flowdsl.TemplateError) as raised:
        environment().run(text, on_event=events)
    assert (raised.value.step, raised.value.path) == ("outputs", "outputs")
    assert untimed(events.events[-1]) == FlowFinished("failed", 0.0, 1, 0.25, raised.value)


def test_cancelling_reaches_the_step_closes_what_is_open_and_is_told() -> None:
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
        assert [untimed(event) for event in events.events] == [
            StepStarted("WAIT", "flow[0]", 0.0),
            FlowFinished("cancelled", 0.0, 0, 0.0),
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


def test_a_constant_option_that_no_key_rule_sees_fails_with_its_place() -> None:
    class Strict(Step, name="STRICT"):
        """Take whole numbers."""

        numbers: list[int]
        """The numbers."""

        def run(self, ctx: StepContext) -> Written:
            return None

    with pytest.raises(flowdsl.ConfigError) as raised:
        Environment(steps=[Strict]).run("- step: STRICT\n  numbers: [x]\n")
    error = raised.value
    assert (error.code, error.step, error.path, str(error.span)) == (
        "invalid-option",
        "STRICT",
        "flow[0]",
        "<text>:2:12",
    )
    assert str(error).startswith("`numbers.0`: ")
