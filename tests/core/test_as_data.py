"""Results, errors and events as data: whole, stable, by a schema; pickled without secrets."""

from __future__ import annotations

import json
import pickle
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import flowdsl
from flowdsl.template.json_values import to_json
from flowdsl_steps.image.simulator import Simulator

SCHEMAS = Path(__file__).parents[2] / "schemas"
PICTURE = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A harbour, quality: low}\n"


def valid(value: Any, name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(value)))


def environment(simulator: Simulator, folder: Path) -> flowdsl.Environment:
    settings = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}
    return flowdsl.Environment(overrides={"openai": settings}, storage=flowdsl.Storage(images=folder))


def test_a_result_as_a_dict_is_whole(tmp_path: Path) -> None:
    with Simulator() as simulator:
        result = environment(simulator, tmp_path).run(PICTURE)
    found = result.to_dict()
    valid(found, "result")
    assert list(found) == [
        *("v", "run", "tags", "outputs", "images", "made", "files", "in_doubt", "steps", "elapsed_s", "cost_usd"),
        *("reused", "recovered", "notes", "failed"),
    ]  # fmt: skip
    assert (found["run"], found["steps"], found["cost_usd"]) == (result.run, 1, result.cost_usd)
    assert found["images"] == found["made"] == found["outputs"]["imageList"]


def test_a_result_of_a_failed_run_and_its_error_are_data_too(tmp_path: Path) -> None:
    with Simulator(faults=["server_error:*,when=storm"]) as simulator, pytest.raises(flowdsl.ServiceError) as raised:
        environment(simulator, tmp_path).run(PICTURE + PICTURE.replace("A harbour", "A storm"), on_event=print)
    error = raised.value
    valid(error.to_dict(), "error")
    assert error.to_dict()["type"] == type(error).__name__
    valid(error.result.to_dict(), "result")
    (doubt,) = error.result.to_dict()["in_doubt"]
    assert (doubt["step"], doubt["path"]) == ("OPENAI_IMAGE_GENERATION", "flow[1]")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.to_dict()) == (type(error), error.to_dict())


def test_errors_that_are_none_of_a_run_are_data(tmp_path: Path) -> None:
    with pytest.raises(flowdsl.FlowCheckError) as raised:
        flowdsl.run("- step: SOT\n")
    assert raised.value.to_dict()["diagnostics"][0]["code"] == "unknown-step"
    assert flowdsl.UsageError("no").to_dict() == {"type": "UsageError", "message": "no"}


def test_a_result_can_be_pickled(tmp_path: Path) -> None:
    with Simulator() as simulator:
        result = environment(simulator, tmp_path).run(PICTURE)
    again = pickle.loads(pickle.dumps(result))
    assert again.to_dict() == result.to_dict()
    assert again.images == result.images
    assert again.context == result.context


NOTED = """
- step: FOR
  items: [1, 2]
  var: item
  do:
    - {step: TRY, try: [{step: RAISE, message: dropped}]}
    - {step: SET, key: "{{ secret('KEY') }}"}
    - {step: IF, condition: "{{ flowContext.item == 2 }}", then: [{step: RAISE, message: "{{ flowContext.key }}"}]}
"""


def test_what_failed_what_was_noted_and_what_was_reused_is_not_lost_in_a_pickle_or_a_dict() -> None:
    host = flowdsl.Host(secrets={"KEY": "harbour-key-0123456789"}.get)
    with pytest.raises(flowdsl.StepError) as raised:
        flowdsl.Environment(host=host).run(NOTED)
    result = raised.value.result
    result.reused = 3
    again, found = pickle.loads(pickle.dumps(result)), result.to_dict()
    valid(found, "result")
    assert (again.reused, again.notes, again.failed) == (3, result.notes, result.failed)
    assert (found["reused"], found["failed"]["iteration"]) == (3, 1)
    assert found["notes"] == [{"code": "dropped-error", "text": "TRY dropped an error of RAISE: dropped"}] * 2
    assert "harbour-key" not in str(pickle.dumps(result)) + json.dumps(found)


def test_the_schema_of_a_result_names_every_key_of_an_image_and_no_other(tmp_path: Path) -> None:
    from flowdsl.image.image import _JSON_KEYS

    schema = json.loads((SCHEMAS / "result.schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]["made"]["items"]["properties"]) == set(_JSON_KEYS)


def test_a_note_of_the_run_itself_is_what_the_schema_of_events_says(tmp_path: Path) -> None:
    (tmp_path / ".originals" / ".lock").mkdir(parents=True)
    events: list[Any] = []
    with Simulator() as simulator:
        environment(simulator, tmp_path).run(PICTURE, on_event=events.append)
    notes = [event.to_dict() for event in events if isinstance(event, flowdsl.Note)]
    assert "picture-unnamed" in [note["code"] for note in notes]
    for note in notes:
        valid(note, "events")


def test_a_request_in_doubt_names_its_step_in_a_run_that_nobody_listens_to(tmp_path: Path) -> None:
    with Simulator(faults=["server_error:*"]) as simulator, pytest.raises(flowdsl.ServiceError) as raised:
        environment(simulator, tmp_path).run(f"- {{step: SET, a: 1}}\n{PICTURE}")
    (doubt,) = raised.value.result.to_dict()["in_doubt"]
    assert (doubt["step"], doubt["path"]) == ("OPENAI_IMAGE_GENERATION", "flow[1]")


def test_a_pickle_holds_no_secret() -> None:
    host = flowdsl.Host(secrets={"KEY": "harbour-key-0123456789"}.get)
    result = flowdsl.Environment(host=host).run(
        "- {step: SET, key: \"{{ secret('KEY') }}\", list: [\"a {{ secret('KEY') }}\"]}\n"
    )
    packed = pickle.dumps(result)
    assert b"harbour-key" not in packed
    assert pickle.loads(packed).outputs == {"key": "***", "list": ["***"]}


def test_outputs_are_not_the_flow_context_itself() -> None:
    result = flowdsl.run("- {step: SET, a: b}\n")
    assert result.outputs == result.context == {"a": "b"}
    result.outputs["c"] = "d"
    assert result.context == {"a": "b"}


class Opaque:
    """Something of a host."""


class Spoken:
    """Something of a host that has a text, which may hold anything."""

    def __str__(self) -> str:
        return "spoken"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Opaque(), "<Opaque>"),
        (Spoken(), "<Spoken>"),
        (date(2026, 11, 26), "2026-11-26"),
        (test_a_result_can_be_pickled, "<test_a_result_can_be_pickled>"),
        (print, "<print>"),
        (Opaque, "<Opaque>"),
        ({"b", "a"}, ["a", "b"]),
        ({Opaque(): [Opaque()]}, {"<Opaque>": ["<Opaque>"]}),
    ],
    ids=["object", "with-text", "date", "function", "builtin", "class", "set", "inside"],
)
def test_a_value_without_a_json_form_is_stable_and_without_an_address(value: Any, plain: Any) -> None:
    assert to_json(value) == plain


def test_details_of_a_service_error_stay_in_the_program() -> None:
    error = flowdsl.ServiceError("no", details={"url": "https://user:pa55word@pictures.example/1"})
    valid(error.to_dict(), "error")
    assert "pa55word" not in json.dumps(error.to_dict())
