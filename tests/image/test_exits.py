"""An exit that foreign code raises leaves the run, with the account of it: pictures named, the end told, the result."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from image_pictures import drawn

import flowdsl
from flowdsl import Environment, Event, FlowFinished, Host, RunError, StepFinished, StepStarted, Storage
from flowdsl.cli import main
from flowdsl.testing import Recorder


class Picture(flowdsl.Step, name="PICTURE"):
    """Makes a picture, and pays."""

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Spends a quarter."""
        ctx.store.add(PNG)
        ctx.spend(0.25)


class Leave(flowdsl.Step, name="LEAVE"):
    """Raises at once."""

    how: str
    """What."""

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Raises."""
        raise ODD[self.how]


class LeaveLater(flowdsl.Step, name="LEAVE_LATER"):
    """Raises after a turn of the loop."""

    how: str
    """What."""

    async def run(self, ctx: flowdsl.StepContext) -> None:
        """Raises."""
        await asyncio.sleep(0)
        raise ODD[self.how]


class LeaveThread(Leave, name="LEAVE_THREAD", blocking=True):
    """Raises in a thread."""


PNG = drawn("PNG")
ODD = {"exit": SystemExit, "interrupt": KeyboardInterrupt, "close": GeneratorExit}
STEPS = [Picture, Leave, LeaveLater, LeaveThread]
BOUGHT = "- {step: PICTURE}\n"
FOREIGN = {
    "step": "- {step: LEAVE, how: HOW}\n",
    "async step": "- {step: LEAVE_LATER, how: HOW}\n",
    "blocking step": "- {step: LEAVE_THREAD, how: HOW}\n",
    "step in a loop": "- {step: FOR, items: [1, 2], var: v, concurrency: 2, do: [{step: LEAVE, how: HOW}]}\n",
    "async step in a loop": (
        "- {step: FOR, items: [1, 2], var: v, concurrency: 2, do: [{step: LEAVE_LATER, how: HOW}]}\n"
    ),
    "label in a loop": (
        "- {step: FOR, items: [1], var: v, concurrency: 2, do: [{step: SET, a: 1, monitorLabel: '{{ boom() }}'}]}\n"
    ),
    "function": "- {step: SET, a: '{{ boom() }}'}\n",
    "filter": "- {step: SET, a: '{{ 1 | boom }}'}\n",
    "secrets": "- {step: SET, a: \"{{ secret('K') }}\"}\n",
    "sink": "- {step: EMIT_EVENT, name: x}\n",
    "listener": "- {step: SET, a: 1}\n",
    "transport": "- {step: REST, url: 'https://api.example/'}\n",
    "request in a loop": (
        "- {step: FOR, items: [1], var: v, concurrency: 2, do: [{step: REST, url: 'https://api.example/'}]}\n"
    ),
}


def run(place: str, how: str, folder: Path, hear: flowdsl.OnEvent, in_loop: bool) -> flowdsl.Result:
    """A run that has bought a picture before what stands at this place raises."""

    def boom(*given: Any) -> Any:
        raise ODD[how]

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise ODD[how]

    def listen(event: Event) -> None:
        hear(event)
        if place == "listener" and isinstance(event, StepFinished) and event.step == "SET":
            boom()

    environment = Environment(
        steps=STEPS,
        host=Host(objects={"boom": boom}, secrets=boom, sink=boom),
        filters={"boom": boom},
        transport=lambda tls: Transport(),
        storage=Storage(images=folder),
    )
    flow = environment.load(BOUGHT + FOREIGN[place].replace("HOW", how))
    return asyncio.run(flow.arun(on_event=listen)) if in_loop else flow.run(on_event=listen)


@pytest.mark.parametrize("in_loop", [True, False], ids=["in a loop of the host", "in its own loop"])
@pytest.mark.parametrize("place", FOREIGN)
@pytest.mark.parametrize("how", ["exit", "interrupt"])
def test_an_exit_of_foreign_code_does_not_lose_what_is_paid_for(
    how: str, place: str, in_loop: bool, tmp_path: Path
) -> None:
    recorder = Recorder()
    with pytest.raises(ODD[how]) as raised:
        run(place, how, tmp_path, recorder, in_loop)
    ends = [event for event in recorder.events if isinstance(event, FlowFinished)]
    assert [(end.status, len(end.images), end.steps > 0) for end in ends] == [("cancelled", 1, True)]
    result: flowdsl.Result = raised.value.result  # type: ignore[attr-defined]
    assert [Path(image.path).parent for image in result.made] == [tmp_path]
    assert len(json.loads((tmp_path / "manifest.json").read_text())["images"]) == 1
    if "REST" not in FOREIGN[place]:  # nobody knows what that costs
        assert result.cost_usd == 0.25
    if place == "step in a loop":
        assert result.failed is not None
        assert (result.failed["step"], result.failed["loop"]["step"]) == ("LEAVE", "FOR")


@pytest.mark.parametrize("in_loop", [True, False], ids=["in a loop of the host", "in its own loop"])
@pytest.mark.parametrize("place", FOREIGN)
def test_a_closing_that_foreign_code_raises_is_a_failure(place: str, in_loop: bool, tmp_path: Path) -> None:
    recorder = Recorder()
    if "label" in place:
        assert len(run(place, "close", tmp_path, recorder, in_loop).made) == 1
        return
    with pytest.raises(RunError, match="GeneratorExit") as raised:
        run(place, "close", tmp_path, recorder, in_loop)
    assert len(raised.value.result.made) == 1
    assert [event.status for event in recorder.events if isinstance(event, FlowFinished)] == ["failed"]


def test_a_filter_that_raises_a_cancellation_is_named(tmp_path: Path) -> None:
    def boom(value: Any) -> Any:
        raise asyncio.CancelledError

    with pytest.raises(flowdsl.TemplateError, match="the filter `boom` failed: CancelledError"):
        Environment(filters={"boom": boom}).run("- {step: SET, a: '{{ 1 | boom }}'}\n")


def test_an_exit_at_the_end_of_a_run_has_its_result() -> None:
    def listen(event: Event) -> None:
        if isinstance(event, FlowFinished):
            raise SystemExit(3)

    with pytest.raises(SystemExit) as raised:
        Environment(steps=STEPS).run("- {step: SET, a: 1}\n", on_event=listen)
    assert (raised.value.code, raised.value.result.steps) == (3, 1)  # type: ignore[attr-defined]


def test_a_store_that_raises_an_exit_loses_no_picture() -> None:
    class Store:
        def save(self, name: str, content: Any) -> str:
            raise SystemExit

        def read(self, name: str) -> bytes:
            return b""

        def exists(self, name: str) -> bool:
            return False

    result = Environment(steps=STEPS, storage=Storage(images=Store())).run(BOUGHT)
    assert Path(result.made[0].path).read_bytes() == PNG
    assert {code for code, _ in result.notes} == {"picture-unnamed"}


def until_asleep(is_asleep: asyncio.Event) -> Callable[[Event], None]:
    """A listener that says when SLEEP has begun."""

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "SLEEP":
            is_asleep.set()

    return hear


def test_what_ends_a_run_has_its_result_also_when_it_is_a_cancellation_or_of_a_listener(tmp_path: Path) -> None:
    flow = Environment(steps=STEPS, storage=Storage(images=tmp_path)).load(f"{BOUGHT}- {{step: SLEEP, delay: 10000}}\n")

    async def cancelled() -> None:
        is_asleep = asyncio.Event()
        task = asyncio.create_task(flow.arun(on_event=until_asleep(is_asleep)))
        await is_asleep.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError) as raised:
        asyncio.run(cancelled())
    assert (len(raised.value.result.made), raised.value.result.failed["step"]) == (1, "SLEEP")  # type: ignore[attr-defined]

    def listen(event: Event) -> None:
        if isinstance(event, StepFinished):
            raise ValueError

    with pytest.raises(ValueError) as refused:
        flow.run(on_event=listen)
    assert len(refused.value.result.made) == 1  # type: ignore[attr-defined]


def test_a_run_that_is_closed_names_its_pictures(tmp_path: Path) -> None:
    flow = Environment(steps=STEPS, storage=Storage(images=tmp_path)).load(f"{BOUGHT}- {{step: SLEEP, delay: 10000}}\n")
    loop = asyncio.new_event_loop()
    is_asleep = asyncio.Event()
    work = flow.arun(on_event=until_asleep(is_asleep))
    task = loop.create_task(work)
    loop.run_until_complete(is_asleep.wait())
    work.close()
    assert len(json.loads((tmp_path / "manifest.json").read_text())["images"]) == 1
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    del task
    loop.close()
    gc.collect()


def test_the_finally_of_a_try_runs_before_an_exit(tmp_path: Path) -> None:
    said: list[Any] = []
    environment = Environment(steps=STEPS, host=Host(sink=lambda name, payload: said.append(name)))
    flow = "- {step: TRY, try: [{step: LEAVE, how: exit}], finally: [{step: EMIT_EVENT, name: cleaned}]}\n"
    with pytest.raises(SystemExit):
        environment.run(flow)
    assert said == ["cleaned"]


INTERRUPTED = """
import asyncio, os, signal, threading
from pathlib import Path
import flowdsl
from test_exits import BOUGHT, STEPS

flow = flowdsl.Environment(steps=STEPS, storage=flowdsl.Storage(images=FOLDER)).load(
    BOUGHT + "- {step: SLEEP, delay: 10000}\\n"
)
threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    WITH
        flow.run()
except KeyboardInterrupt as stop:
    print(len(stop.result.made), Path(FOLDER, "manifest.json").exists())
"""


@pytest.mark.long
@pytest.mark.parametrize("opened", ["if True:", "with flow.environment:"], ids=["alone", "kept loop"])
def test_ctrl_c_has_the_result_of_the_run(opened: str, tmp_path: Path) -> None:
    code = textwrap.dedent(INTERRUPTED).replace("FOLDER", repr(str(tmp_path))).replace("WITH", opened)
    folders = f"import sys; sys.path[:0] = {sys.path!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", folders + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("1 True\n", "")


class Straying(flowdsl.Step, name="STRAYING"):
    """Raises in a task of its own, which ends the event loop at once."""

    async def run(self, ctx: flowdsl.StepContext) -> None:
        """Starts it, and waits."""

        async def leave() -> None:
            raise SystemExit(4)

        self.tasks.append(asyncio.create_task(leave()))
        await asyncio.sleep(10)

    tasks: ClassVar[list[Any]] = []


@pytest.mark.parametrize("is_open", [False, True], ids=["alone", "kept loop"])
def test_an_exit_in_a_task_of_a_step_has_the_result_of_the_run(is_open: bool, tmp_path: Path) -> None:
    recorder = Recorder()
    environment = Environment(steps=[*STEPS, Straying], storage=Storage(images=tmp_path))
    with environment if is_open else nullcontext(), pytest.raises(SystemExit) as raised:
        environment.run(BOUGHT + "- {step: STRAYING}\n", on_event=recorder)
    assert [str(task.exception()) for task in Straying.tasks] == ["4"]
    Straying.tasks.clear()
    assert (raised.value.code, len(raised.value.result.made)) == (4, 1)  # type: ignore[attr-defined]
    assert len(json.loads((tmp_path / "manifest.json").read_text())["images"]) == 1
    assert recorder.names()[-1] == "FlowFinished"


def test_a_step_that_ends_the_program_is_no_success_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import flowdsl.cli.ready_flow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(flowdsl.cli.ready_flow, "Environment", lambda **given: Environment(**{**given, "steps": STEPS}))
    (tmp_path / "a.flow.yaml").write_text(f"{BOUGHT}- {{step: LEAVE, how: exit}}\n")
    assert main(["run", "a.flow.yaml", "--quiet"]) == 4
    said = capsys.readouterr().err
    assert "a step has ended the program: SystemExit" in said
    assert "flowdsl-images/a-1.png" in said
