"""`flowdsl batch` of documents of other systems: a record is a message; records that no document reads are told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Journal, Storage
from flowdsl.cli import main, plan_over
from flowdsl.cli.journaled import state_of
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.records.settings import MESSAGE

PIPELINE = """\
input: {file: {paths: [theirs.txt]}}
pipeline:
  processors:
    - label: paint
      openai_image_generation:
        api_key: "${OPENAI_API_KEY}"
        model: gpt-image-2
        quality: low
        prompt: '"a boat called " + this.name'
output: {drop: {}}
"""
TASK = '{"tasktype": "generate_image", "params": {"prompt": "A white cat.", "model": "gpt-image-2"}}'
BOAT = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: a boat}\n"
NAMES = ["Ada", "Bo", "Cy"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("pipe.yaml").write_text(PIPELINE, encoding="utf-8")
    Path("theirs.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    Path("a.jsonl").write_text("".join(f'{{"name": "{name}"}}\n' for name in NAMES), encoding="utf-8")
    Path("a.csv").write_text("who\n" + "\n".join(NAMES), encoding="utf-8")
    return tmp_path


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def prompts() -> Counter[str]:
    with Journal(state_of("pipe.yaml")) as journal:
        rows = journal.database.read("SELECT request FROM ledger", ())
        return Counter(json.loads(row["request"])["prompt"] for row in rows)


@pytest.mark.long
@pytest.mark.parametrize("over", [["a.jsonl"], ["a.csv", "--map", "name=who"]], ids=["lines", "a table"])
def test_each_record_is_a_message_of_a_pipeline_in_place_of_those_of_its_input(place: Path, over: list[str]) -> None:
    assert main(["batch", "pipe.yaml", "--simulate", "-q", "--out", "out", "--over", *over]) == 0
    assert prompts() == Counter(f"a boat called {name}" for name in NAMES)
    assert sorted((each["record"], len(each["images"])) for each in lines("out/results.jsonl")) == [
        (0, 1),
        (1, 1),
        (2, 1),
    ]


@pytest.mark.long
def test_a_message_that_failed_stops_no_other_and_is_run_again_as_it_is(place: Path) -> None:
    told = ["batch", "pipe.yaml", "--simulate", "-q", "--over"]
    assert main([*told, "a.jsonl", "--out", "out", "--fault", "paint=moderation,when=Bo"]) == 4
    (failed,) = lines("out/failed.jsonl")
    assert (failed["name"], failed["_failed"]["error"]["code"]) == ("Bo", "records-failed")
    assert "1 of 1 message failed: the record: moderation" in failed["_failed"]["error"]["message"]
    assert main([*told, "out/failed.jsonl", "--out", "again"]) == 0
    assert len(lines("again/results.jsonl")) == 1


@pytest.mark.long
def test_a_line_that_could_not_be_read_is_not_bought_as_a_record_without_fields(place: Path) -> None:
    Path("pipe.yaml").write_text(PIPELINE.replace("this.name", 'this.name.or("nobody")'), encoding="utf-8")
    Path("a.jsonl").write_text('{"name": "Ada"}\n["Bo"]\n', encoding="utf-8")
    told = ["batch", "pipe.yaml", "--simulate", "-q", "--over"]
    assert main([*told, "a.jsonl", "--out", "out"]) != 0
    assert main([*told, "out/failed.jsonl", "--out", "again"]) != 0
    (failed,) = lines("again/failed.jsonl")
    assert 'write its fields beside "_failed"' in failed["_failed"]["error"]["message"]
    assert prompts() == Counter(["a boat called Ada"])
    Path("right.jsonl").write_text(json.dumps({"name": "Bo", **failed}), encoding="utf-8")
    assert main([*told, "right.jsonl", "--out", "right"]) == 0
    assert prompts() == Counter(["a boat called Ada", "a boat called Bo"])


@pytest.mark.long
def test_half_a_character_of_a_record_is_told_and_no_crash(place: Path) -> None:
    Path("a.jsonl").write_text('{"name": "\\ud800"}\n', encoding="utf-8")
    assert main(["batch", "pipe.yaml", "--simulate", "-q", "--over", "a.jsonl", "--out", "out"]) != 0
    (failed,) = lines("out/failed.jsonl")
    assert "`prompt` has half a character in it, \\ud800" in failed["_failed"]["error"]["message"]
    assert not prompts()


def test_a_host_goes_on_with_messages_and_buys_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-used")

    async def batch(flow: flowdsl.Flow, journal: Journal) -> list[str]:
        records = ({"name": name} for name in NAMES)
        return [each.status async for each in flowdsl.batch(flow, records, journal=journal, batch_id="boats")]

    with Simulator(plain=True) as simulator, Journal(tmp_path / "state") as journal:
        service = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key, "headers": None}
        storage = Storage(images=tmp_path / "pictures", output=tmp_path / "out")
        environment = Environment(overrides={"openai": service}, storage=storage)
        flow = environment.load(PIPELINE)
        assert asyncio.run(batch(flow, journal)) == asyncio.run(batch(flow, journal)) == ["done"] * 3
        assert simulator.request_count == 3


@pytest.mark.long
@pytest.mark.parametrize(("name", "text"), [("task.json", TASK), ("boat.flow.yaml", BOAT)], ids=["a task", "a flow"])
def test_a_document_that_reads_nothing_of_the_records_is_told_as_they_all_ask_for_the_same(
    place: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    Path(name).write_text(text, encoding="utf-8")
    assert main(["batch", name, "--simulate", "--over", "a.jsonl", "--limit", "1"]) == 0
    said = "no field of a.jsonl is an input of the flow, and all records ask for the same: it reads none"
    assert said in capsys.readouterr().err


def test_a_flow_that_reads_a_field_without_declaring_it_is_told_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("b.flow.yaml").write_text(BOAT.replace("a boat", '"{{ flowContext.name }}"'), encoding="utf-8")
    assert main(["batch", "b.flow.yaml", "--simulate", "--over", "a.jsonl", "--limit", "1"]) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("each", [plan_over.EACH, 1], ids=["planned one by one", "planned together"])
def test_a_plan_over_records_counts_one_message_for_each(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], each: int
) -> None:
    monkeypatch.setattr(plan_over, "EACH", each)
    assert main(["plan", "pipe.yaml", "--over", "a.csv", "--map", "name=who", "--max-usd", "0.05"]) == 0
    said = capsys.readouterr().out
    assert "pipe.yaml, 3 records: up to 3 paid requests, up to $0.0" in said
    assert "iterations" not in said


@pytest.mark.long
def test_who_is_asked_before_a_batch_is_told_what_its_messages_can_cost(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = ["batch", "pipe.yaml", "--over", "a.jsonl", "-q", "--out", "out", "-i", "who=all"]
    with Simulator(plain=True) as simulator:
        monkeypatch.setenv("OPENAI_BASE_URL", simulator.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", simulator.key)
        Path("flowdsl.toml").write_text("ask_above_usd = 0.01\n", encoding="utf-8")
        assert main(batch) == 2
        assert "this batch of 3 records can cost up to $0.04" in capsys.readouterr().err
        assert not simulator.request_count
        Path("flowdsl.toml").write_text("ask_above_usd = 0.06\n", encoding="utf-8")
        assert main(batch) == 0
        assert simulator.request_count == 3


def test_records_of_a_flow_are_one_where_its_message_is_given_and_open_else() -> None:
    steps = "- {step: RECORD_IMAGE, model: gpt-image-2, quality: low, prompt: '\"a boat\"'}"
    flow = Environment(settings=None, environ={}).load(f"- step: FOR_RECORDS\n  do:\n    {steps}\n")
    assert flow.plan({MESSAGE: {"name": "Ada"}}).most_requests == 1
    assert flow.plan(unknown=[MESSAGE]).most_requests == 1
    assert flow.plan().most_requests is None
