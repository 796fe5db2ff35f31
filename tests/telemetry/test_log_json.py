"""`--log-json`: a line for each event, for a log that others read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main

SECRET = "sk-very-secret-key-0123456789"
FLOW = """\
inputs: {who: {type: string, default: A walrus}}
flow:
  - step: FOR
    var: hat
    items: [in a top hat, in a beret]
    do:
      - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "{{ inputs.who }} {{ flowContext.hat }}"}
  - {step: EMIT_EVENT, name: seen, payload: "{{ inputs.who }}"}
"""  # noqa: E501  one step


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "walrus.flow.yaml").write_text(FLOW)
    return tmp_path


def run(*more: str) -> int:
    return main(["run", "walrus.flow.yaml", "--simulate", "--quiet", *more])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_event_is_a_line_with_its_time_level_run_and_place(place: Path) -> None:
    assert run("--log-json", "run.log") == 0
    found = lines(place / "run.log")
    assert [each["event"] for each in found].count("RequestStarted") == 2
    assert found[-1]["event"] == "FlowFinished"
    assert found[-1]["status"] == "done"
    assert len(found[-1]["images"]) == 2
    assert {len(each["time"]) for each in found} == {len("2026-11-27T07:20:00.123456Z")}
    assert len({each["run"] for each in found}) == 1
    asked = next(each for each in found if each["event"] == "RequestFinished")
    assert (asked["level"], asked["outcome"], asked["step"]) == ("info", "done", "OPENAI_IMAGE_GENERATION")


@pytest.mark.long
def test_prompts_and_values_stand_in_it_only_when_asked_for(place: Path) -> None:
    assert run("--log-json", "run.log", "-i", "who=Grandmother") == 0
    text = (place / "run.log").read_text()
    assert "Grandmother" not in text
    assert "beret" not in text
    assert run("--log-json", "whole.log", "--log-content", "-i", "who=Grandmother") == 0
    assert "Grandmother" in (place / "whole.log").read_text()


@pytest.mark.long
def test_no_secret_stands_in_it_even_when_all_is_asked_for(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", SECRET)
    text = "- {step: EMIT_EVENT, name: a, payload: \"{{ secret('NAME') }}\"}\n"
    text += "- {step: RAISE, message: \"{{ secret('NAME') }} is wrong\"}\n"
    (place / "walrus.flow.yaml").write_text(text)
    assert run("--log-json", "run.log", "--log-content") == 4
    found = lines(place / "run.log")
    assert SECRET not in (place / "run.log").read_text()
    assert [(each["level"], each["error"]["code"]) for each in found if each["event"] == "StepFailed"] == [
        ("error", "raised")
    ]
    assert found[-1]["level"] == "error"


@pytest.mark.long
def test_a_second_run_adds_to_the_file_and_each_record_of_a_batch_is_a_line(place: Path) -> None:
    assert run("--log-json", "run.log") == 0
    before = len(lines(place / "run.log"))
    (place / "who.csv").write_text("who\nAda\nBo\n")
    batch = ["batch", "walrus.flow.yaml", "--over", "who.csv", "--simulate", "--quiet", "--log-json", "run.log"]
    assert main(batch) == 0
    found = lines(place / "run.log")[before:]
    records = {each["record"]: each for each in found if each["event"] == "RecordFinished"}
    assert {number: each["status"] for number, each in records.items()} == {0: "done", 1: "done"}
    assert records[0]["cost_usd"] > 0
    assert records[0]["run"] in {each["run"] for each in found if each["event"] == "FlowFinished"}
    assert "Ada" not in (place / "run.log").read_text()


@pytest.mark.long
def test_a_dash_is_stderr_and_stdout_stays_what_it_was(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--log-json", "-", "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)
    assert json.loads(printed.err.splitlines()[-1])["event"] == "FlowFinished"


@pytest.mark.long
def test_half_a_character_is_written_as_json_has_it_and_ends_no_run(place: Path) -> None:
    text = 'inputs: {who: {type: string}}\nflow: [{step: EMIT_EVENT, name: a, payload: "{{ inputs.who }}"}]\n'
    (place / "walrus.flow.yaml").write_text(text)
    (place / "who.json").write_text('{"who": "\\ud800"}')
    code = main(["run", "walrus.flow.yaml", "--quiet", "--inputs", "who.json", "--log-json", "a.log", "--log-content"])
    assert code == 0
    assert "\ud800" in {each.get("payload") for each in lines(place / "a.log")}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--log-json", "no/such/folder/run.log"], "--log-json no/such/folder/run.log: No such file or directory"),
        (["--log-content"], "give a file with `--log-json FILE`"),
    ],
)
@pytest.mark.long
def test_what_cannot_be_written_is_told_before_anything_is_sent(
    options: list[str], said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*options) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
@pytest.mark.long
def test_a_log_that_takes_no_more_ends_no_run_and_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--log-json", "/dev/full") == 0
    assert "warning: lines are missing in /dev/full: No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["walrus.flow.yaml", "who.csv", "who.jsonl", "a.png"])
@pytest.mark.long
def test_a_file_that_is_no_log_stays_as_it_is_and_nothing_is_sent(
    file: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "who.csv").write_text("who\nAda\n")
    (place / "who.jsonl").write_text('{"who": "Ada"}\n')
    (place / "a.png").write_bytes(b"\x89PNG")
    before = (place / file).read_bytes()
    assert run("--log-json", file) == 2
    assert f"{file} is there and is no log: it stays as it is" in capsys.readouterr().err
    batch = ["batch", "walrus.flow.yaml", "--over", "who.csv", "--simulate", "--quiet", "--out", "out"]
    assert main([*batch, "--log-json", file]) == 2
    assert main(["serve", "--port", "0", "--simulate", "--log-json", file]) == 2
    assert (place / file).read_bytes() == before
    assert [path.name for path in place.rglob("*.png")] == ["a.png"]


@pytest.mark.long
def test_an_empty_log_as_one_that_was_rotated_takes_lines(place: Path) -> None:
    (place / "run.log").touch()
    assert run("--log-json", "run.log") == 0
    assert lines(place / "run.log")[-1]["event"] == "FlowFinished"


@pytest.mark.parametrize("file", ["results.jsonl", "failed.jsonl", "manifest.json"])
@pytest.mark.long
def test_a_log_is_not_mixed_with_the_results_of_its_batch(
    file: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "who.csv").write_text("who\nAda\n")
    (place / "out").mkdir()
    batch = ["batch", "walrus.flow.yaml", "--over", "who.csv", "--simulate", "--quiet", "--out", "out"]
    assert main([*batch, "--log-json", f"out/{file}"]) == 2
    assert "write a file of this name: name another" in capsys.readouterr().err
    assert list((place / "out").iterdir()) == []
