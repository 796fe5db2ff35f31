"""What host applications ran into: async functions, blocked loops, values that leak between runs."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, field_validator

import flowdsl
from flowdsl.testing import StubContext, arun_step, run_step


async def async_secret(name: str) -> str:
    return "x" * 20


class AsyncCall:
    async def __call__(self, *arguments: Any) -> str:
        return "x"


@pytest.mark.parametrize("function", [async_secret, functools.partial(async_secret), AsyncCall(), AsyncCall().__call__])
def test_an_async_function_of_the_host_is_refused_before_anything_is_sent(function: Any) -> None:
    for wanted in ({"secrets": function}, {"sink": function}, {"objects": {"find": function}}):
        with pytest.raises(flowdsl.UsageError, match="is an async function, and nobody waits"):
            flowdsl.Host(**wanted)  # type: ignore[arg-type]
    with pytest.raises(flowdsl.UsageError, match="on_event is an async function"):
        flowdsl.run("- step: SET\n  a: 1\n", on_event=function)


def test_plain_functions_of_the_host_are_still_taken() -> None:
    host = flowdsl.Host(secrets={"A": "b"}.get, objects={"twice": lambda x: x * 2, "text": "a"}, sink=print)
    assert (
        flowdsl.run('- step: SET\n  a: "{{ twice(2) }}"\n', environment=flowdsl.Environment(host=host)).outputs["a"]
        == 4
    )


class Sleeper(flowdsl.Step, name="SLEEPER", outputs=("text",)):
    """Sleeps."""

    def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
        """Sleeps on the loop."""
        time.sleep(0.15)
        return {"text": threading.current_thread().name}


class ThreadSleeper(flowdsl.Step, name="THREAD_SLEEPER", outputs=("text",), blocking=True):
    """Sleeps in a thread, until it is woken."""

    wake: ClassVar[threading.Event] = threading.Event()

    def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
        """Sleeps, and tells of it."""
        ctx.progress("sleeping")
        assert self.wake.wait(30)
        ctx.note("woke", "up")
        ctx.emit("woke", {"n": 1})
        return {"text": threading.current_thread().name}


def test_a_plain_step_that_holds_the_loop_is_named_once() -> None:
    events: list[Any] = []
    environment = flowdsl.Environment(steps=[Sleeper])
    environment.run("- step: FOR\n  items: [1, 2]\n  var: i\n  do:\n    - step: SLEEPER\n", on_event=events.append)
    notes = [event for event in events if isinstance(event, flowdsl.Note) and event.code == "loop-held"]
    assert len(notes) == 1
    assert notes[0].text.startswith("SLEEPER held the event loop for 0.")


def test_a_blocking_step_runs_in_a_thread_and_the_loop_goes_on() -> None:
    seen: list[tuple[str, str]] = []
    here = threading.current_thread().name
    sink: Callable[[str, Any], None] = lambda name, payload: seen.append((name, threading.current_thread().name))  # noqa: E731
    environment = flowdsl.Environment(steps=[ThreadSleeper], host=flowdsl.Host(sink=sink))
    ThreadSleeper.wake.clear()

    def heard(event: flowdsl.Event) -> None:
        seen.append((type(event).__name__, threading.current_thread().name))

    async def both() -> flowdsl.Result:
        flow = environment.load("- step: THREAD_SLEEPER\n")
        running = asyncio.create_task(flow.arun(on_event=heard))
        while ("Progress", here) not in seen and not running.done():  # noqa: ASYNC110  a step in another thread
            await asyncio.sleep(0.01)
        assert not running.done()
        ThreadSleeper.wake.set()  # what the step waits for, and what nobody could do while it held the loop
        return await running

    result = asyncio.run(both())
    assert result.outputs["text"] != here
    assert {thread for _, thread in seen} == {here}
    assert {"Progress", "Note", "Emitted", "woke"} <= {name for name, _ in seen}
    assert "loop-held" not in str(seen)


def test_a_deadline_does_not_wait_for_a_blocking_step() -> None:
    environment = flowdsl.Environment(steps=[ThreadSleeper], limits=flowdsl.Limits(timeout_s=0.05))

    ThreadSleeper.wake.clear()

    async def late() -> None:
        with pytest.raises(flowdsl.LimitExceeded):
            await environment.load("- step: THREAD_SLEEPER\n").arun()
        assert not ThreadSleeper.wake.is_set()  # it sleeps on
        ThreadSleeper.wake.set()

    asyncio.run(late())


class LateWriter(flowdsl.Step, name="LATE_WRITER", blocking=True):
    """Goes on after the deadline."""

    is_over: ClassVar[threading.Event] = threading.Event()

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Tries to change the run when it is over."""
        assert self.is_over.wait(30)
        for change in (ctx.progress, lambda text: ctx.write("late", text), lambda text: ctx.spend(1.0)):
            try:
                change("x")
            except flowdsl.StepError as error:
                REFUSED.append(error.message)


REFUSED: list[str] = []


def test_a_blocking_step_changes_nothing_after_the_end_of_its_run() -> None:
    environment = flowdsl.Environment(steps=[LateWriter], limits=flowdsl.Limits(timeout_s=0.02))
    names: list[str] = []

    async def late() -> flowdsl.Result:
        with pytest.raises(flowdsl.LimitExceeded) as raised:
            await environment.arun("- step: LATE_WRITER\n", on_event=lambda event: names.append(type(event).__name__))
        LateWriter.is_over.set()
        async with asyncio.timeout(30):
            while len(REFUSED) < 3:  # noqa: ASYNC110  the step is in another thread
                await asyncio.sleep(0.01)
        return raised.value.result

    result = asyncio.run(late())
    assert (names[-1], result.context, result.cost_usd) == ("FlowFinished", {}, 0.0)
    assert REFUSED == ["LATE_WRITER goes on in its thread, but nobody waits for it any more"] * 3


class Repeater(flowdsl.Step, name="REPEATER", blocking=True):
    """Emits the begin of an iteration."""

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Begins."""
        ctx.begin(0, "a", 0, 1)


def test_an_iteration_that_a_blocking_step_begins_is_heard_in_the_thread_of_the_run() -> None:
    seen = []
    flowdsl.Environment(steps=[Repeater]).run(
        "- step: REPEATER\n", on_event=lambda event: seen.append(threading.current_thread().name)
    )
    assert set(seen) == {threading.current_thread().name}


def test_prepare_takes_the_first_run_off_the_loop() -> None:
    code = (
        "import asyncio, sys, flowdsl\n"
        "flow = flowdsl.load('- step: SET\\n  a: \"{{ 1 + 1 }}\"\\n').prepare()\n"
        "known = set(sys.modules)\n"
        "print(asyncio.run(flow.arun()).outputs['a'], sorted(m for m in set(sys.modules) - known if 'flowdsl' in m))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "2 []\n"


def test_the_template_module_is_there_after_a_plain_import() -> None:
    code = "import flowdsl; print(flowdsl.template.exposed.__name__, flowdsl.testing.run_step.__name__)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "exposed run_step\n"


class Appender(flowdsl.Step, name="APPENDER", inputs=("items",), outputs=("text",)):
    """Changes its input."""

    def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
        """Appends."""
        ctx.input("items").append(1)
        return {"text": str(len(ctx.input("items")))}


def test_a_step_that_changes_its_input_does_not_change_the_callers() -> None:
    items: list[Any] = [1, {"a": [2]}]
    flow = flowdsl.Environment(steps=[Appender]).load("- step: APPENDER\n", declare=["items"])
    assert [flow.run({"items": items}).outputs["text"] for _ in range(2)] == ["3", "3"]
    assert items == [1, {"a": [2]}]


def test_values_of_the_host_do_not_leak_from_run_to_run() -> None:
    kv, things, variables = {"list": [1]}, [1], {"v": [1]}
    host = flowdsl.Host(kv=kv, objects={"things": things}, variables=variables)
    flow = flowdsl.Environment(host=host).load('- step: SET\n  a: "{{ kv(\'list\') }}"\n  b: "{{ things }}"\n')
    for _ in range(2):
        outputs = flow.run().outputs
        assert (outputs["a"], outputs["b"]) == ([1], [1])
        outputs["a"].append(2)
        outputs["b"].append(2)
    assert (kv, things, variables) == ({"list": [1]}, [1], {"v": [1]})


def test_one_step_can_be_run_inside_of_a_running_loop() -> None:
    async def inside() -> dict[str, Any]:
        with pytest.raises(flowdsl.UsageError, match="await arun_step"):
            run_step(Sleeper())
        return await arun_step(Sleeper(), StubContext())

    assert "text" in asyncio.run(inside())


@pytest.mark.parametrize(
    ("template", "value", "result"),
    [
        ("{{ x + 1 }}", Decimal("1.5"), 2.5),
        ("{{ 1 + x }}", Decimal(2), 3),
        ("{{ x + x }}", Fraction(1, 4), 0.5),
        ("{{ x * 2 }}", Decimal("1.5"), 3),
        ("x{{ x }}", Decimal("1.50"), "x1.5"),
        ("{{ x > 1 }}", Decimal("1.5"), True),
        ("{{ x == 1.5 }}", Decimal("1.5"), True),
    ],
)
def test_a_decimal_of_the_host_is_a_number(template: str, value: Any, result: Any) -> None:
    host = flowdsl.Host(objects={"x": value})
    found = flowdsl.run(f'- step: SET\n  a: "{template}"\n', environment=flowdsl.Environment(host=host)).outputs["a"]
    assert found == result


class Size(BaseModel):
    """A nested model."""

    width: int


class Strict(flowdsl.Step, name="STRICT", outputs=("text",)):
    """Options that only the class can judge."""

    size: Size | None = None
    names: list[str] | None = None
    even: int | None = None

    @field_validator("even")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("not even")
        return value

    def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
        """Gives a text."""
        return {"text": "x"}


@pytest.mark.parametrize("option", ["size: {width: wide}", "names: [1, 2]", "even: 3", "size: 4"])
def test_what_the_class_of_a_step_refuses_is_found_by_the_check(option: str) -> None:
    (found,) = flowdsl.Environment(steps=[Strict]).check(f"- step: STRICT\n  {option}\n")
    assert found.code == "invalid-option"
    assert found.span.text == option.partition(": ")[2]


@pytest.mark.parametrize(
    "option", ["size: {width: 3}", "names: [a]", "even: 4", 'even: "{{ flowContext.text | length }}"']
)
def test_what_the_class_of_a_step_takes_is_not_reported(option: str) -> None:
    environment = flowdsl.Environment(steps=[Strict])
    assert environment.check(f"- step: SET\n  text: a\n- step: STRICT\n  {option}\n") == []


def test_a_listener_that_fails_at_the_end_does_not_lose_the_result() -> None:
    def listen(event: flowdsl.Event) -> None:
        if isinstance(event, flowdsl.FlowFinished):
            raise RuntimeError("full")

    said: list[Any] = []

    async def run() -> flowdsl.Result:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context["exception"]))
        return await flowdsl.arun("- step: SET\n  a: 1\n", on_event=listen)

    assert asyncio.run(run()).outputs["a"] == 1
    assert [str(error) for error in said] == ["full"]


def test_an_object_of_the_host_does_not_show_its_repr() -> None:
    class Client:
        def __repr__(self) -> str:
            return "<Client token=sk-very-secret>"

    environment = flowdsl.Environment(host=flowdsl.Host(objects={"client": Client()}))
    result = environment.run('- step: SET\n  a: "x{{ client }}"\n  b: "{{ client }}"\n  c: "{{ [client] | dump }}"\n')
    assert "sk-very-secret" not in str(result.outputs["a"]) + str(result.outputs["c"]) + str(result.to_json())


def test_a_step_that_is_there_is_not_replaced_silently() -> None:
    class Own(flowdsl.Step, name="SET"):
        """Another SET."""

        def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
            """Nothing."""
            return None

    class Told(flowdsl.Step, name="SET", replaces=True):
        """Another SET on purpose."""

        def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
            """Nothing."""
            return None

    with pytest.raises(flowdsl.PluginError, match="there is a step SET already; `replaces=True`"):
        flowdsl.Environment(steps=[Own]).check("- step: SET\n")
    assert flowdsl.Environment(steps=[Told]).check("- step: SET\n") == []
