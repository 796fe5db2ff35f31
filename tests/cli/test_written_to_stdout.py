"""`-` for a file to write is stdout, as it is stdin for one to read."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flowdsl.cli import main

TEST = """\
flow: kite.flow.yaml
tests:
  - name: a kite
    expect: {context: {a: 1}}
"""


@pytest.mark.parametrize(
    ("arguments", "option", "beginning"),
    [
        (["graph", "kite.flow.yaml"], "--output", "---\ntitle"),
        (["graph", "kite.flow.yaml", "--format", "svg"], "--output", "<svg "),
        (["convert", "kite.flow.yaml"], "--out", "- {step: SET"),
        (["validate", "kite.flow.yaml", "--format", "json"], "--output-file", "[]"),
        (["create", "SET"], "--output", "# `flowdsl validate FILE`"),
        (["validate", "kite.flow.yaml"], "--write-baseline", '{\n  "flowdsl_baseline": 1'),
        (["report", "pictures"], "--out", "<!doctype html>"),
        (["test", "kite.test.yaml"], "--junit", "<?xml"),
        (["test", "kite.test.yaml"], "--coverage-json", "{"),
    ],
)
def test_a_dash_for_the_file_to_write_is_stdout_and_no_file(
    arguments: list[str],
    option: str,
    beginning: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kite.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    Path("kite.test.yaml").write_text(TEST, encoding="utf-8")
    Path("pictures").mkdir()
    Path("pictures/manifest.json").write_text(json.dumps({"version": 1, "images": [{"file": "a.png"}]}))
    assert main([*arguments, option, "-"]) == 0
    assert capsys.readouterr().out.startswith(beginning)
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *(
            (arguments, "`-` stands for stdout, and what is written here is a folder of files: name one; `./-` is")
            for arguments in (
                ["run", "kite.flow.yaml", "--out", "-"],
                ["image", "A kite", "--out", "-"],
                ["batch", "kite.flow.yaml", "--over", "a.csv", "--out", "-"],
                ["mcp", "--out", "-"],
                ["serve", "--out", "-"],
                ["schema", "--out", "-"],
                ["docs", "--out", "-"],
                ["init", "-"],
            )
        ),
        *(
            (arguments, "`-` stands for stdin, and this is read from a file: name one; `./-` is")
            for arguments in (
                ["validate", "--baseline", "-"],
                ["serve", "--config", "-"],
                ["tokens", "--config", "-"],
                ["provenance", "-"],
            )
        ),
        (["batch", "kite.flow.yaml", "--over", "-"], "put them into a .jsonl or .csv file"),
        (["plan", "kite.flow.yaml", "--over", "-"], "put them into a .jsonl or .csv file"),
        (["report", "--out", "-", "--open"], "name one, such as `--out report.html`"),
        (["test", "--junit", "-", "--coverage-json", "-"], "stdout holds one document: name a file for one"),
        (["test", "--junit", "-", "--watch"], "stdout holds one document: name a file for --junit"),
        (["schema", "--out", ""], "the name is empty"),
    ],
)
def test_a_dash_where_neither_stdout_nor_stdin_can_be_is_refused_and_makes_no_file(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kite.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    Path("pictures").mkdir()
    Path("pictures/manifest.json").write_text(json.dumps({"version": 1, "images": [{"file": "a.png"}]}))
    if "--open" in arguments:
        arguments = [*arguments, "pictures"]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert out == ""
    assert sorted(path.name for path in Path().iterdir()) == ["kite.flow.yaml", "pictures"]


def test_what_people_read_of_tests_stands_beside_the_document_on_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kite.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    Path("kite.test.yaml").write_text(TEST.replace("a: 1", "a: 2"), encoding="utf-8")
    assert main(["test", "--junit", "-", "--coverage"]) == 1
    out, err = capsys.readouterr()
    assert ElementTree.fromstring(out).get("failures") == "1"
    assert "1 test, 1 failed" in err
    assert "steps, branches and catch blocks" in err
