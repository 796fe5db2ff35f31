"""What a host gives one run: limits, an id, tags."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Limits, Storage, UsageError
from flowdsl.testing import Recorder
from flowdsl_steps.image.simulator import Simulator

SET = "- step: SET\n  a: 1\n- step: SET\n  b: 2\n"
PICTURE = (
    "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A boat\n  size: 1024x1024\n  quality: low\n"
)
NAMED: dict[str, Any] = {"run_id": "ticket-17.a_b", "tags": {"customer": "Harbour Ltd", "ticket": "17"}}


def test_limits_of_one_run_stand_in_the_place_of_the_environments() -> None:
    flow = Environment(limits=Limits(steps=1)).load(SET)
    with pytest.raises(flowdsl.LimitExceeded):
        flow.run()
    assert flow.run(limits=Limits(steps=2)).steps == 2
    with pytest.raises(flowdsl.LimitExceeded):
        Environment().run(SET, limits=Limits(steps=1))


def test_a_settings_file_lowers_the_limits_of_one_run_too(tmp_path: Path) -> None:
    (tmp_path / "flowdsl.toml").write_text("max_requests = 0\n")
    (tmp_path / "main.flow.yaml").write_text(PICTURE)
    with Simulator() as simulator:
        services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
        environment = Environment(services=services, storage=Storage(images=tmp_path / "images"))
        with pytest.raises(flowdsl.LimitExceeded) as raised:
            environment.run(tmp_path / "main.flow.yaml", limits=Limits(max_requests=5))
        assert (raised.value.code, simulator.request_count) == ("too-many-requests", 0)
        fixed = Limits(max_requests=5, fixed=frozenset({"max_requests"}))
        assert len(environment.run(tmp_path / "main.flow.yaml", limits=fixed).made) == 1


def test_templates_of_one_run_have_its_limits() -> None:
    flow = flowdsl.load("- step: SET\n  a: \"x {{ range(0, 5000) | join('') }}\"\n")
    small = Limits(template=Limits().template._replace(max_output=1000))
    assert len(flow.run().outputs["a"]) > 5000
    with pytest.raises(flowdsl.RunError):
        flow.run(limits=small)


def test_an_id_and_tags_are_in_the_result_the_events_the_records_and_the_manifest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    with Simulator() as simulator, caplog.at_level(logging.INFO, "flowdsl"):
        services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
        environment = Environment(services=services, storage=Storage(images=tmp_path))
        result = environment.run(PICTURE, on_event=recorder, **NAMED)
    end = recorder.events[-1]
    assert isinstance(end, flowdsl.FlowFinished)
    assert (result.run, result.tags) == (NAMED["run_id"], NAMED["tags"])
    assert (end.run, end.to_dict()["tags"]) == (NAMED["run_id"], NAMED["tags"])
    assert {event.run for event in recorder.events} == {NAMED["run_id"]}
    assert all((vars(r)["run"], vars(r)["tags"]) == (NAMED["run_id"], NAMED["tags"]) for r in caplog.records)
    (line,) = json.loads((tmp_path / "manifest.json").read_text())["images"]
    assert (line["run"], line["tags"]) == (NAMED["run_id"], NAMED["tags"])
    assert result.to_dict()["tags"] == pickle.loads(pickle.dumps(result)).tags == NAMED["tags"]


def test_each_way_to_run_takes_them(tmp_path: Path) -> None:
    (tmp_path / "main.flow.yaml").write_text(SET)
    flow = flowdsl.load(SET)

    async def streamed() -> Any:
        return [item async for item in flow.stream(**NAMED)][-1]

    results = [
        flowdsl.run(SET, **NAMED),
        asyncio.run(flowdsl.arun(SET, **NAMED)),
        Environment().run(SET, **NAMED),
        asyncio.run(Environment().arun(SET, **NAMED)),
        flow.run(**NAMED),
        asyncio.run(flow.arun(**NAMED)),
        asyncio.run(streamed()),
    ]
    assert [(result.run, result.tags) for result in results] == [(NAMED["run_id"], NAMED["tags"])] * 7


def test_a_run_that_fails_has_its_tags_in_the_error() -> None:
    with pytest.raises(flowdsl.RunError) as raised:
        flowdsl.run("- step: RAISE\n  message: no\n", **NAMED)
    assert (raised.value.result.run, raised.value.result.tags) == (NAMED["run_id"], NAMED["tags"])


@pytest.mark.parametrize("name", ["", "../x", "a b", "a\n", ".hidden", "x" * 129, "ä", "a/b", "a:b"])
def test_an_id_that_could_not_be_part_of_a_file_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="run_id takes 1 to 128 letters"):
        flowdsl.run(SET, run_id=name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limits": 5}, r"limits takes flowdsl\.Limits"),
        ({"run_id": 5}, "run_id takes a text, not int"),
        ({"tags": ["a"]}, "tags takes a dict of texts, not list"),
        ({"tags": {"a": 5}}, "tags takes a dict of texts: 'a' is int"),
        (
            {"limits": flowdsl.Limits(max_usd=-1)},
            "max_usd of flowdsl.Limits takes a number that is not below 0, not -1",
        ),
        ({"limits": flowdsl.Limits(timeout_s="5")}, "timeout_s of flowdsl.Limits takes a number that .* not '5'"),  # type: ignore[arg-type]
        (
            {"journal": "state"},
            r"journal takes flowdsl\.Journal\(FOLDER\), or an object with the method `door`, not str",
        ),
        ({"effects": "none"}, "effects takes an object with the methods `perform` and `perform_now`, not str"),
    ],
    ids=["limits", "an id", "a list", "a number", "below 0", "a text", "a folder for a journal", "no effects"],
)
def test_an_argument_of_a_run_of_the_wrong_kind_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        flowdsl.run(SET, **given)


def test_tags_that_the_host_changes_later_stay_as_they_were() -> None:
    tags = {"customer": "Harbour Ltd"}
    result = flowdsl.run(SET, tags=tags)
    tags["customer"] = "another"
    assert result.tags == {"customer": "Harbour Ltd"}
