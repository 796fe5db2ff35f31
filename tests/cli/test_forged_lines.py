"""No text of a flow makes lines, rows, links or tags that look like ours in what a command prints."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = r"""
title: "T\n| a | b | c | d | e | f | $0 |\n### `forged` [x](http://x) <b>\e[31m\r\n"
inputs:
  list: {type: array}
  odd: {title: "a\nforged", enum: ["x\nforged"]}
flow:
  - step: FOR
    var: x
    items: "{{ inputs.list }}"
    do:
      - step: OPENAI_IMAGE_GENERATION
        model: "gpt-image-2"
        instruction: "A fox\nforged 2. OPENAI_IMAGE_GENERATION\e[2J"
  - step: SWITCH
    condition: "{{ inputs.odd }}"
    cases:
      "k]\"\nforged --> x":
        - {step: SET, b: 1}
      other:
        - {step: SET, k: "v\nforged"}
"""
TESTS = r"""
flow: odd.flow.yaml
tests:
  - name: "n\nforged \e[2J"
    inputs: {list: [1], odd: "x\nforged"}
    expect:
      context: {"k\nforged": 1, k: "a\nforged"}
      prompts: [{matches: "^a\nforged"}]
"""
COMMANDS = {
    "plan": ["plan", "odd.flow.yaml", "--max-usd", "0"],
    "plan as Markdown": ["plan", "odd.flow.yaml", "--markdown"],
    "graph": ["graph", "odd.flow.yaml"],
    "explain": ["explain", "odd.flow.yaml"],
    "inputs": ["inputs", "odd.flow.yaml"],
    "test": ["test", "-v", "odd.test.yaml", "--coverage"],
    "findings as GitHub shows them": ["validate", "--format", "github", "wrong.flow.yaml"],
    "findings in lines": ["validate", "--format", "concise", "wrong.flow.yaml"],
    "findings as text": ["validate", "wrong.flow.yaml"],
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "odd.flow.yaml").write_text(FLOW)
    (tmp_path / "odd.test.yaml").write_text(TESTS)
    (tmp_path / "wrong.flow.yaml").write_text(
        'flow:\n  - {step: SET, id: "a\\nforged.flow.yaml:1:1: error: x", b: 1}\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_forged(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(COMMANDS[name])
    shown = "".join(capsys.readouterr())
    assert len(shown) > 40
    assert "\x1b" not in shown
    assert not [line for line in shown.splitlines() if re.match(r"\W*forged", line)]


def test_markdown_has_the_rows_and_the_heading_of_the_plan_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", "odd.flow.yaml", "--markdown"])
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines if line.startswith(("#", "|"))] == ["### ", "| wh", "|---", "| od"]
    code, text = re.fullmatch(r"### (`+) (.*?) \1: .*", lines[0]).groups()  # type: ignore[union-attr]
    assert code not in text.replace("`forged`", "")
    assert "[x](http://x) <b>" in text


def test_a_file_name_stays_in_its_cell(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = files / "a|b`](x)<b>.flow.yaml"
    path.write_text(FLOW)
    main(["plan", path.name, "--markdown"])
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("| `"))
    assert row.startswith(r"| `` a\|b`](x)<b>.flow.yaml:11 `` | ")
    assert len(re.findall(r"(?<!\\)\|", row)) == 8


def test_a_title_in_json_is_the_title(capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", "odd.flow.yaml", "--json"])
    assert json.loads(capsys.readouterr().out)["title"].splitlines()[2].startswith("### `forged`")


def test_junit_of_flow_tests_holds_one_case(files: Path) -> None:
    main(["test", "odd.test.yaml", "--junit", "a.xml"])
    (case,) = ElementTree.parse(files / "a.xml").iter("testcase")
    assert case.get("name", "").startswith("n\nforged")
    assert not [line for line in "".join(case.itertext()).splitlines() if line.startswith("forged")]
