"""The door for what is paid or written outside: what goes through it, and a run that is replayed from its recording."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flowdsl import (
    Blob,
    ContentRefused,
    Effect,
    Environment,
    Host,
    Image,
    RunError,
    ServiceError,
    Step,
    StepContext,
    StepError,
    Storage,
    UsageError,
    Written,
)
from flowdsl.template import UNDEFINED
from flowdsl.testing import Recorder, Recording, Replay, StubContext, run_step

T = TypeVar("T")
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
ASKED: list[Any] = []
"""What the steps below really did."""


class Ask(Step, name="ASK", outputs=("text",)):
    """Ask something that gives another result each time."""

    question: str = "what"
    """What is asked."""

    async def run(self, ctx: StepContext) -> Written:
        async def perform() -> str:
            ASKED.append(self.question)
            ctx.progress("asking")
            ctx.note("asked", f"asked {len(ASKED)} times")
            return f"{self.question} {len(ASKED)}"

        return {"text": await ctx.effect("ask", {"question": self.question}, perform)}


class Refuse(Step, name="REFUSE", outputs=("text",)):
    """Fail in one of several ways."""

    how: str = "service"
    """Which."""

    async def run(self, ctx: StepContext) -> Written:
        async def perform() -> str:
            ASKED.append(self.how)
            if self.how == "crash":
                raise ValueError("no such colour")
            image = ctx.store.add(PIXEL)
            raise ContentRefused("refused", status=400, charge_possible=True, attempts=3, details={"images": [image]})

        return {"text": await ctx.effect("refuse", None, perform)}


class Give(Step, name="GIVE", outputs=("object",)):
    """Give values of every kind that a recording can hold."""

    async def run(self, ctx: StepContext) -> Written:
        async def perform() -> Any:
            return {
                "image": ctx.store.add(PIXEL),
                "blob": Blob(b"bytes", "text/x"),
                "bytes": b"\x00\xff",
                "list": [1, 1.5, None, True],
                "odd": {"$image": "no picture"},
            }

        return {"object": await ctx.effect("give", None, perform)}


STEPS = (Ask, Refuse, Give)


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    ASKED.clear()


def environment(folder: Path, **host: Any) -> Environment:
    return Environment(steps=STEPS, host=Host(**host), storage=Storage(images=folder / "i", output=folder / "o"))


def replayed(flow: str, folder: Path, **host: Any) -> tuple[Any, Any, Replay]:
    """The FlowContext of a run that is recorded, that of its replay, and the replay."""
    loaded = environment(folder, **host).load(flow)
    recording = Recording()
    first = loaded.run(effects=recording)
    asked = list(ASKED)
    recording.save(folder / "recording")
    replay = Replay(Recording.load(folder / "recording"))
    again = loaded.run(effects=replay)
    assert (ASKED, replay.missing, replay.unused) == (asked, [], [])
    return first.context, again.context, replay


def test_a_loop_that_asks_four_times_gets_its_four_results(tmp_path: Path) -> None:
    flow = (
        "- step: FOR\n  var: n\n  start: 1\n  end: 4\n  concurrency: 4\n  collect: '{{ flowContext.text }}'\n"
        "  collectKey: said\n  do:\n  - step: ASK\n  - step: ASK\n    question: again\n"
    )
    first, again, _ = replayed(flow, tmp_path)
    assert first["said"] == again["said"]
    assert len(set(first["said"])) == 4


def test_what_is_emitted_while_an_effect_is_performed_is_emitted_again(tmp_path: Path) -> None:
    flow = environment(tmp_path).load("- step: ASK\n")
    first, again, recording = Recorder(), Recorder(), Recording()
    flow.run(on_event=first, effects=recording)
    flow.run(on_event=again, effects=Replay(recording))
    assert first.names() == ["StepStarted", "Progress", "Note", "StepFinished", "FlowFinished"]
    assert again.names() == first.names()
    assert [getattr(event, "text", None) for event in again.events] == [
        getattr(event, "text", None) for event in first.events
    ]


def test_values_of_every_kind_come_back(tmp_path: Path) -> None:
    first, again, _ = replayed("- step: GIVE\n  outputs: [{type: object, name: o}]\n", tmp_path)
    values = again["o"]
    assert values["image"] == first["o"]["image"]
    assert (values["blob"].content, values["blob"]["contentType"]) == (b"bytes", "text/x")
    assert (values["bytes"], values["list"], values["odd"]) == (
        b"\x00\xff",
        [1, 1.5, None, True],
        {"$image": "no picture"},
    )


def test_a_picture_is_stored_again_where_the_replay_stores(tmp_path: Path) -> None:
    recording = Recording()
    flow = "- step: GIVE\n  outputs: [{type: object, name: o}]\n"
    environment(tmp_path / "a").run(flow, effects=recording)
    image = environment(tmp_path / "b").run(flow, effects=Replay(recording)).context["o"]["image"]
    assert isinstance(image, Image)
    assert Path(image.path).is_relative_to(tmp_path / "b")
    assert image.read() == PIXEL


def test_the_failure_of_a_service_fails_again_with_all_its_facts(tmp_path: Path) -> None:
    flow = environment(tmp_path).load("- step: REFUSE\n")
    recording = Recording()
    with pytest.raises(ContentRefused):
        flow.run(effects=recording)
    with pytest.raises(ContentRefused) as raised:
        flow.run(effects=Replay(recording))
    error = raised.value
    assert (error.message, error.code, error.status, error.attempts) == ("refused", "content-refused", 400, 3)
    assert (error.charge_possible, error.path) == (True, "flow[0]")
    (image,) = error.details["images"]  # type: ignore[misc]  # a list of one
    assert image.read() == PIXEL
    assert ASKED == ["service"]


def test_a_crash_fails_again_with_the_same_message(tmp_path: Path) -> None:
    flow = environment(tmp_path).load("- step: REFUSE\n  how: crash\n")
    recording = Recording()
    with pytest.raises(StepError) as first:
        flow.run(effects=recording)
    with pytest.raises(StepError) as again:
        flow.run(effects=Replay(recording))
    assert first.value.message == again.value.message == "REFUSE failed: ValueError: no such colour"
    assert first.value.code == again.value.code == "step-crashed"
    assert ASKED == ["crash"]


def test_a_replay_that_asks_for_something_else_fails_and_says_so(tmp_path: Path) -> None:
    recording = Recording()
    environment(tmp_path).run("- step: ASK\n", effects=recording)
    replay = Replay(recording)
    with pytest.raises(RunError) as raised:
        environment(tmp_path).run("- step: ASK\n  question: who\n", effects=replay)
    assert (raised.value.message, raised.value.code) == (
        "the recording has another request for `ask` number 1 of flow[0]",
        "not-recorded",
    )
    other = Replay(recording)
    with pytest.raises(RunError, match=r"^the recording has no `give` number 1 of flow\[0\]$"):
        environment(tmp_path).run("- step: GIVE\n", effects=other)
    assert (replay.missing, other.missing) == (["`ask` number 1 of flow[0]"], ["`give` number 1 of flow[0]"])
    assert other.unused == ["`ask` number 1 of flow[0]"]
    assert ASKED == ["what"]


def test_a_replay_emits_nothing_to_the_sink_and_waits_for_nothing(tmp_path: Path) -> None:
    emitted: list[str] = []
    flow = "- step: EMIT_EVENT\n  name: ready\n- step: SLEEP\n  delay: 20\n"
    replayed(flow, tmp_path, sink=lambda name, payload: emitted.append(name))
    assert emitted == ["ready"]


def test_lots_are_drawn_again(tmp_path: Path) -> None:
    flow = "- step: SET\n" + "".join(f"  k{n}: '{{{{ range(1000000) | random }}}}'\n" for n in range(4))
    first, again, _ = replayed(flow, tmp_path)
    assert first == again
    assert len(set(first.values())) > 1


def test_a_run_that_draws_no_lot_asks_its_door_for_none(tmp_path: Path) -> None:
    recording = Recording()
    environment(tmp_path).run("- step: SLEEP\n  delay: 0\n", effects=recording)
    recording.save(tmp_path / "recording")
    values = json.loads((tmp_path / "recording" / "recording.json").read_text(encoding="utf-8"))
    assert [recorded["key"] for recorded in values["recorded"]] == ["sleep"]


def test_a_retry_notes_the_recorded_pause(tmp_path: Path) -> None:
    class Shaky(Step, name="SHAKY"):
        """Fail twice."""

        async def run(self, ctx: StepContext) -> Written:
            async def perform() -> None:
                ASKED.append("shaky")
                if len(ASKED) < 3:
                    raise ServiceError("busy", retryable=True)

            await ctx.effect("shaky", None, perform)
            return None

    text = "- step: TRY\n  try:\n  - step: SHAKY\n  retry: {delayMs: 3}\n"
    flow = Environment(steps=[Shaky]).load(text)
    recording = Recording()
    notes = []
    for effects in (recording, None):
        recorder = Recorder()
        flow.run(on_event=recorder, effects=effects or Replay(recording))
        notes.append([event.to_dict()["text"] for event in recorder.events if type(event).__name__ == "Note"])
    assert notes[0] == notes[1]
    assert len(notes[0]) == 2
    assert ASKED == ["shaky"] * 3


def test_a_request_holds_no_secret(tmp_path: Path) -> None:
    recording = Recording()
    flow = "- step: ASK\n  question: \"{{ secret('KEY') }}\"\n"
    environment(tmp_path, secrets={"KEY": "sk-very-secret"}.get).run(flow, effects=recording)
    assert [recorded.request for recorded in recording.recorded if recorded.key == "ask"] == [{"question": "***"}]


def test_a_result_that_no_recording_can_hold_is_a_mistake_of_the_step(tmp_path: Path) -> None:
    class Strange(Step, name="STRANGE"):
        """Give an object."""

        async def run(self, ctx: StepContext) -> Written:
            async def perform() -> object:
                return object()

            await ctx.effect("strange", None, perform)
            return None

    with pytest.raises(StepError, match="the result of an effect holds an `object`: give JSON values, bytes"):
        Environment(steps=[Strange]).run("- step: STRANGE\n", effects=Recording())


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "holds no recording"), ("{", "holds no recording"), ('{"v": 99}', "holds a recording of another version")],
    ids=["no file", "no JSON", "another version"],
)
def test_a_folder_without_a_recording_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "recording.json").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        Recording.load(tmp_path)


def test_a_step_alone_goes_through_a_door_too() -> None:
    recording = Recording()
    assert run_step(Ask(), StubContext(effects=recording)) == {"text": "what 1"}
    assert run_step(Ask(), StubContext(effects=Replay(recording))) == {"text": "what 1"}
    assert ASKED == ["what"]


def test_a_door_of_the_host_sees_each_effect_before_it_happens(tmp_path: Path) -> None:
    class Closed:
        """Lets nothing through but what costs nothing."""

        def __init__(self) -> None:
            self.seen: list[tuple[str, str]] = []

        async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
            self.seen.append((effect.invocation.key, effect.key))
            if effect.key == "ask":
                raise StepError("too dear", code="budget")
            return await act()

        def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
            return act()

    door = Closed()
    with pytest.raises(StepError) as raised:
        asyncio.run(environment(tmp_path).arun("- step: SLEEP\n  delay: 0\n- step: ASK\n", effects=door))
    assert (raised.value.code, raised.value.path) == ("budget", "flow[1]")
    assert (door.seen, ASKED) == ([("flow[0]", "sleep"), ("flow[1]", "ask")], [])


def test_a_recording_is_json(tmp_path: Path) -> None:
    replayed("- step: ASK\n", tmp_path)
    values = json.loads((tmp_path / "recording" / "recording.json").read_text(encoding="utf-8"))
    asked = [recorded for recorded in values["recorded"] if recorded["key"] == "ask"]
    assert asked == [
        {
            "at": "flow[0]",
            "key": "ask",
            "number": 0,
            "request": {"question": "what"},
            "result": "what 1",
            "error": None,
            "emitted": [["progress", ["asking", None, None]], ["note", ["asked", "asked 1 times", None]]],
        }
    ]


KEPT: list[Any] = []


class Hand(Step, name="HAND", outputs=("object",)):
    """Gives a value that the outside gave, and emits it."""

    async def run(self, ctx: StepContext) -> Written:
        """Asks for it."""

        async def ask() -> Any:
            return KEPT[-1]

        ctx.emit("kept", KEPT[-1])
        return {"object": await ctx.effect("outside", {}, ask)}


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        {1: "a", "1": "b"},
        {None: 1, 1.5: 2},
        {(1, 2): {True: [{3: (4,)}]}},
        (1, (2, [3])),
        {1, 2},
        {"$pairs": [1], "$tuple": 2},
        "a\ud800b",
        UNDEFINED,
        float("nan"),
    ],
    ids=["number", "number and text", "null", "deep", "tuple", "set", "marks", "half a character", "undefined", "nan"],
)
def test_a_value_that_json_has_no_form_for_comes_back_as_it_was(value: Any, tmp_path: Path) -> None:
    KEPT.append(value)
    environment = Environment(steps=[Hand], host=Host(sink=lambda name, payload: None))
    recording = Recording()
    first = environment.run("- {step: HAND}\n", effects=recording)
    recording.save(tmp_path)
    replay = Replay(Recording.load(tmp_path))
    assert repr(environment.run("- {step: HAND}\n", effects=replay).context) == repr(first.context)
    assert (replay.missing, replay.unused) == ([], [])


def test_a_value_that_holds_itself_is_refused_by_a_recording_in_words() -> None:
    value: list[Any] = []
    value.append(value)
    KEPT.append(value)
    environment = Environment(steps=[Hand], host=Host(sink=lambda name, payload: None))
    with pytest.raises(StepError, match=r"the result of an effect holds itself at .*, which no recording can keep"):
        environment.run("- {step: HAND}\n", effects=Recording())
