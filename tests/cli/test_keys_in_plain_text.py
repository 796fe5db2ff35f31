"""A key that stands in a flow in plain text shows in nothing that a command makes of the flow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.secrets.plain import without

FLOW = """\
title: "Fox sk-proj-AAAABBBBCCCC-N1Q title"
inputs:
  who:
    description: "as sk-proj-AAAABBBBCCCC-N0Q"
    default: "x sk-proj-AAAABBBBCCCC-N2Q"
    enum: [ a,"x sk-proj-AAAABBBBCCCC-N2Q"]
flow:
  - step: IF
    id: sk-proj-AAAABBBBCCCC-N3Q
    condition: "{{ inputs.who == 'sk-proj-AAAABBBBCCCC-N4Q' }}"
    then:
      - {step: SET, monitorLabel: "label sk-proj-AAAABBBBCCCC-N5Q", a: 1}
  - step: SWITCH
    condition: "{{ inputs.who }}"
    cases:
      "sk-proj-AAAABBBBCCCC-N6Q":
        - {step: SET, b: 1}
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "A fox in the fields of the north sk-proj-AAAABBBBCCCC-N7Q {{ inputs.who }}"
outputs:
  text: "{{ inputs.who }} sk-proj-AAAABBBBCCCC-N7Q"
"""
TESTS = """\
flow: leak.flow.yaml
tests:
  - name: "case sk-proj-AAAABBBBCCCC-N8Q"
    expect:
      prompts: ["A fox in the fields of the north sk-proj-AAAABBBBCCCC-N9Q"]
      ran: {SET: 3}
      outputs: {text: "sk-proj-AAAABBBBCCCC-NdQ"}
  - name: fox
    expect: {prompts: snapshot}
"""
COMMANDS = {
    "graph as Mermaid": ["graph", "leak.flow.yaml"],
    "graph as SVG": ["graph", "leak.flow.yaml", "--format", "svg"],
    "graph as a page": ["graph", "leak.flow.yaml", "--format", "html"],
    "plan": ["plan", "leak.flow.yaml", "--max-usd", "0"],
    "plan as JSON": ["plan", "leak.flow.yaml", "--json"],
    "plan as Markdown": ["plan", "leak.flow.yaml", "--markdown"],
    "dry run": ["run", "leak.flow.yaml", "--dry-run"],
    "dry run as JSON": ["run", "leak.flow.yaml", "--dry-run", "--json"],
    "explain": ["explain", "leak.flow.yaml"],
    "explain as JSON": ["explain", "leak.flow.yaml", "--json"],
    "explain nothing": ["explain", "leak.flow.yaml", "nobody"],
    "inputs": ["inputs", "leak.flow.yaml"],
    "inputs as JSON": ["inputs", "leak.flow.yaml", "--json"],
    "test": ["test", "-v", "leak.test.yaml", "--coverage"],
    "the difference of fmt": ["fmt", "--diff", "leak.flow.yaml"],
    "findings as JUnit": ["validate", "--format", "junit", "leak.flow.yaml", "leak.test.yaml"],
    "findings as SARIF": ["validate", "--format", "sarif", "leak.flow.yaml", "leak.test.yaml"],
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "leak.flow.yaml").write_text(FLOW)
    (tmp_path / "leak.test.yaml").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_key_in_plain_text_is_not_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(COMMANDS[name])
    shown = "".join(capsys.readouterr())
    assert len(shown) > 40
    assert "AAAABBBB" not in shown
    assert not re.findall("N.Q", shown)


def test_the_difference_of_fixes_shows_no_key(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "leak.flow.yaml").write_text(FLOW.replace("    model: ", "    modell: "))
    main(["validate", "--fix", "--unsafe-fixes", "--diff", "leak.flow.yaml"])
    shown = "".join(capsys.readouterr())
    assert "+    model: gpt-image-2" in shown
    assert not re.findall("N.Q|AAAA", shown)


def test_files_of_flow_tests_hold_no_key_of_a_prompt(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["test", "leak.test.yaml", "--junit", "a.xml", "--coverage-json", "a.json", "--update-snapshots"])
    written = [
        path for path in files.iterdir() if not path.name.startswith("leak.flow") and path.name != "leak.test.yaml"
    ]
    assert sorted(path.name for path in written) == ["a.json", "a.xml", "leak.snapshots.yaml"]
    assert all("AAAABBBB" not in path.read_text() for path in written)
    capsys.readouterr()
    assert main(["test", "leak.test.yaml", "-k", "fox"]) == 0


def test_a_snapshot_from_before_that_holds_the_key_still_fits(files: Path) -> None:
    prompt = "A fox in the fields of the north sk-proj-AAAABBBBCCCC-N7Q x sk-proj-AAAABBBBCCCC-N2Q"
    (files / "leak.snapshots.yaml").write_text(f"fox: ['{prompt}']\n")
    assert main(["test", "leak.test.yaml", "-k", "fox"]) == 0


def test_no_action_of_a_kit_is_named_with_a_key(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    action = "  - {title: sk-proj-AAAABBBBCCCC-N%dQ, flow: [{step: SET, a: 1}]}\n"
    (files / "a.ai-kit.yaml").write_text("actions:\n" + action % 1 + action % 2)
    for wrong in (["graph"], ["graph", "--action", "sk-proj-AAAABBBBCCCC-N3Q"], ["plan"], ["run", "--dry-run"]):
        main([*wrong[:1], "a.ai-kit.yaml", *wrong[1:]])
    assert "AAAABBBB" not in "".join(capsys.readouterr())


def test_a_finding_of_flow_tests_shows_no_end_of_a_key_of_the_flow(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "leak.test.yaml").write_text(
        'flow: leak.flow.yaml\ntests: [{name: a, inputs: {who: "sk-proj-AAAABBBBCCCC-NeQ"}}]\n'
    )
    main(["validate", "leak.test.yaml"])
    shown = "".join(capsys.readouterr())
    assert "invalid-input" in shown
    assert not re.findall("N.Q|AAAA", shown)


def test_of_two_keys_that_begin_alike_neither_shows_its_end() -> None:
    keys = ["sk-proj-AAAA-one-9999", "sk-proj-AAAA-two-8888"]
    assert without("first sk-proj-AAAA-two-8888, then sk-proj-AAAA-one-9999", keys) == "first ***, then ***"
    assert without("cut: sk-proj-AAAA-tw…", keys) == "cut: ***…"
