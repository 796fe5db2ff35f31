"""`-i NAME=@FILE`: inputs from JSON, YAML, CSV and text files, and from standard input."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main

FLOW = """\
inputs:
  value: {}
  text: {type: string, default: ""}
  rows: {type: array, default: [], items: {type: object, properties: {price: {type: number}, new: {type: boolean}}}}
flow: [{step: SET, x: 1}]
outputs: {value: "{{ inputs.value }}", text: "{{ inputs.text }}", rows: "{{ inputs.rows }}"}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")


def given(capsys: pytest.CaptureFixture[str], *pairs: str) -> Any:
    arguments = [part for pair in pairs for part in ("-i", pair)]
    assert main(["run", "a.flow.yaml", "-i", "value=1", *arguments, "--json", "-q"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


FILES = {
    "a.json": ('[{"sku": "007"}, 2]', [{"sku": "007"}, 2]),
    "a.yaml": ("- sku: 007\n- 2\n", [{"sku": 7}, 2]),
    "a.txt": ("two\nlines\n", "two\nlines"),
    "plain": ("no: yaml", "no: yaml"),
    "a.csv": ('sku,name\n007,"A ""big"", red cup"\n\n8,Plate\n', [
        {"sku": "007", "name": 'A "big", red cup'}, {"sku": "8", "name": "Plate"},
    ]),
    "semicolons.csv": ("\ufeffsku;name\r\n1;Cup, red\r\n", [{"sku": "1", "name": "Cup, red"}]),
    "a.tsv": ("sku\tname\n1\tCup\n", [{"sku": "1", "name": "Cup"}]),
    "one.CSV": ("city\nLisbon\n", [{"city": "Lisbon"}]),
    "lines.csv": ('sku,text\n1,"two\nlines"\n', [{"sku": "1", "text": "two\nlines"}]),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_an_input_is_what_a_file_holds(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, value = FILES[name]
    Path(name).write_bytes(text.encode())
    assert given(capsys, f"value=@{name}")["value"] == value


def test_columns_of_a_csv_are_numbers_where_the_schema_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.csv").write_text("sku,price,new\n007,2.5,true\n008,,false\n", encoding="utf-8")
    assert given(capsys, "rows=@a.csv")["rows"] == [
        {"sku": "007", "price": 2.5, "new": True},
        {"sku": "008", "new": False},
    ]


def test_a_text_input_takes_a_file_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.json").write_text("[1]", encoding="utf-8")
    assert given(capsys, "text=@a.json")["text"] == "[1]"


@pytest.mark.parametrize(("name", "value"), [("value", [1, 2]), ("text", "[1, 2]")], ids=["value", "text"])
def test_an_input_comes_from_standard_input(
    name: str, value: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[1, 2]\n")))
    assert given(capsys, f"{name}=@-")[name] == value


def test_two_signs_stand_for_a_text_that_begins_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert given(capsys, "text=@@harbour", "value=@@") == {"value": "@", "text": "@harbour", "rows": []}


def test_a_misspelt_file_is_told_by_its_name_and_no_list_is_written_as_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("products.csv").write_text("name\nCup\n")
    Path("a.flow.yaml").write_text(
        "inputs: {products: {type: array}, night: {type: boolean, default: false}}\n"
        "flow: [{step: SET, a: '{{ inputs.night }}{{ inputs.products | length }}'}]\n"
    )
    run = ("run", "a.flow.yaml", "-i")
    assert main([*run, "products=@product.csv"]) == 2
    assert capsys.readouterr().err == (
        "flowdsl: -i products: there is no file `product.csv`; did you mean `-i products=@products.csv`?\n"
    )
    assert main([*run, "products=@nowhere.csv"]) == 2
    assert capsys.readouterr().err == "flowdsl: -i products: there is no file `nowhere.csv`\n"
    assert main([*run, "products=@products.csv", "-i", "night=yes"]) == 1
    assert "hint: write `-i night=true`" in capsys.readouterr().err


WRONG = {
    "nobody.json": (
        None,
        2,
        "no file `nobody.json`; a text that begins with @ is written with two, `-i value=@@nobody",
    ),
    "a.json": ('{"a": 1,}', 1, "a.json:1:8: error: this is not JSON: a trailing comma"),
    "a.yaml": ("a: [1\n", 1, "a.yaml:"),
    "latin.csv": (b"name\nS\xe3o\n", 1, "[not-utf8]"),
    "empty.csv": (b"", 1, "the file is empty; its first line names the columns [csv-syntax]"),
    "twice.csv": (b"a,a\n1,2\n", 1, "twice.csv:1:3: error: the name `a` stands twice in the first line: column 2"),
    "unnamed.csv": (b"a,\n1,2\n", 1, "a column has no name"),
    "short.csv": (b"a,b\n1,2\n3\n", 1, "short.csv:3:1: error: line 3 has 1 cell, and the first line names 2"),
    "open.csv": (b'a,b\n1,"2\n', 1, "line 2 is not CSV: a quote is opened and never closed"),
    "folder": ("folder", 2, "`folder` is a folder, and an input is read from one file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_does_not_hold_what_it_promises_is_an_error(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content, code, said = WRONG[name]
    if content == "folder":
        Path(name).mkdir()
    elif content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["run", "a.flow.yaml", "-i", f"value=@{name}", "-q"]) == code
    assert said in capsys.readouterr().err


def test_standard_input_is_not_read_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FLOW.encode())))
    assert main(["run", "-", "-i", "value=@-", "-q"]) == 2
    assert "standard input is asked for twice" in capsys.readouterr().err


CALLER = """\
imports: [{from: ./parts.module.yaml, as: parts}]
flow:
  - step: CALL_FLOW
    ref: imports.parts.flows.greet
  - step: SETT
"""
PARTS = "blocks:\n  flows:\n    greet:\n      - step: SET\n        text: hello\n"


def _beside(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A module and settings in a folder, and a flow on standard input."""
    folder.mkdir()
    (folder / "parts.module.yaml").write_text(PARTS)
    (folder / "flowdsl.toml").write_text("max_requests = 0\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_a_flow_on_standard_input_is_checked_as_the_file_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _beside(tmp_path / "flows", monkeypatch, CALLER)
    assert main(["validate", "-", "--stdin-filename", "flows/new.flow.yaml", "--env"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("flows/new.flow.yaml:5:11: error: Step not found: SETT")
    assert "1 file: 1 error" in said


def test_a_flow_on_standard_input_runs_as_the_file_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paid = "  - step: OPENAI_IMAGE_GENERATION\n    prompt: a boat\n"
    _beside(tmp_path / "flows", monkeypatch, CALLER.replace("  - step: SETT\n", paid))
    assert main(["run", "-", "--stdin-filename", "flows/new.flow.yaml", "--simulate", "-q"]) == 4
    said = capsys.readouterr().err
    assert "flows/new.flow.yaml:5:11: error" in said
    assert "the run may send 0 paid requests" in said, said


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_name_for_standard_input_needs_standard_input(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "a.flow.yaml", "--stdin-filename", "b.flow.yaml"]) == 2
    assert "--stdin-filename goes with -" in capsys.readouterr().err
