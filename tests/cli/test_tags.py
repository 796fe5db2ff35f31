"""`--tag NAME=VALUE` of what runs: what `flowdsl costs --by tag` adds up by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = """\
inputs: {name: {type: string, default: Ada}}
flow:
- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: low, instruction: "{{ inputs.name }}"}
- {step: IF, condition: "{{ kv('stop') }}", then: [{step: RAISE, message: no}]}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")
    Path("flowdsl.toml").write_text("[kv]\nstop = false\n", encoding="utf-8")
    Path("a.csv").write_text("name\nAda\nBo\n", encoding="utf-8")


def by_tag(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    capsys.readouterr()
    assert main(["costs", "--by", "tag", "--simulated", "--json"]) == 0
    return {each["key"]: each["requests"] for each in json.loads(capsys.readouterr().out)["costs"]}


@pytest.mark.long
def test_what_is_run_on_the_command_line_is_summed_by_its_tags(capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--simulate", "-q", "--tag", "team=ads"]
    assert main(["run", "a.flow.yaml", *told, "--tag", "season=spring"]) == 0
    assert main(["image", "a boat", "--size", "1024x1024", "--quality", "low", *told]) == 0
    assert main(["batch", "a.flow.yaml", "--over", "a.csv", "--out", "out", *told]) == 0
    assert by_tag(capsys) == {"team=ads": 4, "season=spring": 1}
    manifest = json.loads(Path("out/manifest.json").read_text(encoding="utf-8"))
    assert [each["tags"] for each in manifest["images"]] == [{"team": "ads"}] * 2


@pytest.mark.long
def test_a_run_that_goes_on_keeps_its_tags(capsys: pytest.CaptureFixture[str]) -> None:
    Path("flowdsl.toml").write_text("[kv]\nstop = true\n", encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--simulate", "-q", "--tag", "team=ads"]) == 4
    Path("flowdsl.toml").write_text("[kv]\nstop = false\n", encoding="utf-8")
    flow = FLOW + FLOW.splitlines()[2].replace("{{ inputs.name }}", "a boat") + "\n"
    Path("a.flow.yaml").write_text(flow, encoding="utf-8")
    assert main(["resume", "--yes", "-q"]) == 0
    assert by_tag(capsys) == {"team=ads": 2}


@pytest.mark.parametrize("command", ["run", "batch"])
def test_a_secret_is_no_tag(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "t0p-s3cr3t-0f-th3-sh0p")
    over = ["--over", "a.csv", "--out", "out"] if command == "batch" else []
    assert main([command, "a.flow.yaml", *over, "--simulate", "-q", "--tag", "shop=t0p-s3cr3t-0f-th3-sh0p"]) == 2
    said = capsys.readouterr().err
    assert said == "flowdsl: --tag shop: its value is a secret, and a tag stands in the journal and in manifest.json\n"


def test_a_tag_with_two_values_is_told_instead_of_taking_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "a.flow.yaml", "--simulate", "-q", "--tag", "team=ads", "--tag", "team=web"]) == 2
    assert "--tag team is given twice" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["batch", "plan"])
def test_a_field_without_its_input_is_told_in_the_words_of_the_help(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "a.flow.yaml", "--over", "a.csv", "--map", "name"]) == 2
    assert "argument --map: `name` is not INPUT=FIELD" in capsys.readouterr().err
