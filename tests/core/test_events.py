"""Events: which run and which invocation they belong to, that they never change, and their JSON form."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from engine_steps import environment

import flowdsl
from flowdsl import Event, Invocation, RunError, StepFailed, StepFinished, StepStarted
from flowdsl.engine.state import new_run_id
from flowdsl.testing import Recorder

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "events.schema.json").read_text(encoding="utf-8"))
LOOP = """
- step: FOR
  var: n
  start: 1
  end: 12
  concurrency: 4
  do:
    - step: SLEEP
      delay: "{{ (13 - flowContext.n) * 2 }}"
    - step: IF
      condition: "{{ flowContext.n % 3 == 0 }}"
      then:
        - step: ECHO
          say: third
"""


def events_of(flow: str, **settings: Any) -> list[Event]:
    """The events of a run, which may fail."""
    recorder = Recorder()
    with contextlib.suppress(RunError):
        environment(**settings).run(flow, on_event=recorder)
    return recorder.events


def test_starts_and_finishes_of_a_concurrent_loop_pair_up() -> None:
    running: dict[int, Invocation] = {}
    started = 0
    for event in events_of(LOOP):
        if isinstance(event, StepStarted):
            assert event.invocation.id not in running
            running[event.invocation.id] = event.invocation
            started += 1
        elif isinstance(event, StepFinished):
            assert running.pop(event.invocation.id) is event.invocation
    assert (running, started) == ({}, 1 + 12 * 2 + 4)


def test_an_invocation_knows_its_parent_and_its_iteration() -> None:
    started = [event.invocation for event in events_of(LOOP) if isinstance(event, StepStarted)]
    (loop,) = [invocation for invocation in started if invocation.step == "FOR"]
    sleeps = [invocation for invocation in started if invocation.step == "SLEEP"]
    assert [(sleep.parent, sleep.iteration) for sleep in sleeps] == [(loop, index) for index in range(12)]
    echoes = {invocation.key for invocation in started if invocation.step == "ECHO"}
    assert echoes == {f"flow[0]/flow[0].do[1]#{index}/flow[0].do[1].then[0]" for index in (2, 5, 8, 11)}
    assert (loop.parent, loop.iteration, loop.key) == (Invocation(id=0), None, "flow[0]")


@pytest.mark.parametrize(
    ("flow", "iterations"),
    [
        (
            "- step: WHILE\n  condition: '{{ flowContext.n | default(0) < 3 }}'\n  do:\n"
            "  - step: SET\n    n: '{{ flowContext.n | default(0) + 1 }}'\n",
            [None, 0, 1, 2],
        ),
        (
            "blocks: {flows: {hi: [{step: SET, a: 1}]}}\nflow:\n- step: CALL_FLOW\n  ref: local.flows.hi\n",
            [None, None],
        ),
        ("- step: SET\n  steps:\n  - step: SET\n    a: 1\n", [None, None]),
    ],
    ids=["while", "called flow", "steps of a step"],
)
def test_blocks_count_their_iterations_where_they_repeat(flow: str, iterations: list[int | None]) -> None:
    started = [event.invocation for event in events_of(flow) if isinstance(event, StepStarted)]
    assert [invocation.iteration for invocation in started] == iterations
    assert {invocation.parent for invocation in started[1:]} == {started[0]}


def test_all_events_name_their_run_and_ids_of_runs_sort_by_time() -> None:
    runs = [{event.run for event in events_of("- step: ECHO\n  say: hi\n")} for _ in range(3)]
    assert [len(run) for run in runs] == [1, 1, 1]
    ids = [new_run_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert {(len(name), name[14]) for name in ids} == {(36, "7")}


def test_a_result_names_its_run() -> None:
    recorder = Recorder()
    assert flowdsl.run("- step: SET\n  a: 1\n", on_event=recorder).run == recorder.events[0].run


def test_events_never_change() -> None:
    for event in events_of("- step: ECHO\n  say: hi\n- step: FAIL\n  how: step\n"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.run = "other"  # type: ignore[misc]  # the mistake
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.invocation.id = 7  # type: ignore[misc]  # the mistake
        assert not hasattr(event, "__dict__")


def test_events_are_made_by_keyword_only() -> None:
    started = StepStarted(run="r", id=1, parent=Invocation(id=0), step="SET", path="flow[0]", at_s=0.5)
    event = StepFinished(run="r", invocation=started, at_s=0.5, elapsed_s=0.1)
    assert (event.step, event.path, event.wrote) == ("SET", "flow[0]", ())
    with pytest.raises(TypeError):
        StepFinished("r", started, 0.5, 0.1)  # type: ignore[misc]  # the mistake


def test_the_start_of_a_step_is_its_invocation() -> None:
    started, finished, _ = events_of("- step: SET\n  a: 1\n")
    assert started.invocation is started
    assert finished.invocation is started
    assert dataclasses.replace(started, label="x") != started


FLOWS = {
    "a failure": "- step: ECHO\n  say: hi\n  monitorLabel: greeting\n- step: FAIL\n  how: step\n",
    "a concurrent loop": LOOP,
    "what is emitted": "- step: EMIT_EVENT\n  name: done\n  payload: {a: [1, null]}\n",
}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_the_json_form_of_an_event_is_what_its_schema_says(flow: str) -> None:
    events = events_of(flow)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    found = [json.loads(json.dumps(event.to_dict(), allow_nan=False)) for event in events]
    assert [error.message for values in found for error in validator.iter_errors(values)] == []
    assert [values["event"] for values in found] == [type(event).__name__ for event in events]
    spoiled = {**found[0], "parent": "nobody"}
    assert not validator.is_valid(spoiled)


def test_the_json_form_of_a_failure_holds_what_a_service_said() -> None:
    error = flowdsl.ServiceTimeout("no response", service="acme", charge_possible=True, attempts=2)
    failed = StepFailed(run="r", invocation=Invocation(id=1, step="ASK"), at_s=1.0, elapsed_s=0.5, error=error)
    facts = failed.to_dict()["error"]
    assert (facts["code"], facts["charge_possible"], facts["attempts"]) == ("service-timeout", True, 2)


def test_a_run_that_nobody_listens_to_makes_no_invocations(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[str] = Counter()
    monkeypatch.setattr("flowdsl.engine.frame.step_started", lambda *facts: made.update(["made"]))
    assert flowdsl.run("- step: SET\n  a: 1\n" * 3).steps == 3
    assert made == {}


def test_a_step_that_ends_more_than_itself_says_what_and_others_say_nothing() -> None:
    flow = "- step: FOR\n  items: [1]\n  var: x\n  do:\n    - {step: BREAK, condition: true}\n- {step: END}\n"
    events = Recorder()
    flowdsl.Environment().run(flow, on_event=events)
    ended = [event.to_dict() for event in events.events if isinstance(event, StepFinished)]
    assert [(event["step"], event.get("signal")) for event in ended] == [
        ("BREAK", "break"),
        ("FOR", None),
        ("END", "end"),
    ]
    assert "signal" not in ended[1]
