"""Everything that is wrong with inputs is said at once, each with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = """\
inputs:
  city: {type: string}
  count: {type: integer}
  rows: {type: array, default: [], items: {type: object, properties: {price: {type: number, maximum: 9}}}}
flow: [{step: SET, x: 1}]
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")


FILES = {
    "inputs.json": (
        '{"cty": 1,\n "count": "many",\n "rows": [{"price": 1},\n  {"price": 10},\n  {"price": "x"}]}',
        ["1:9: error: the flow declares no input `cty`", "2:11: error: the input `count`", "4:13:", "5:13:"],
    ),
    "inputs.yaml": (
        "cty: 1\ncount: many\nrows:\n  - {price: 1}\n  - price: 10\n  - 7\n",
        ["1:6: error: the flow declares no input `cty`", "2:8: error: the input `count`", "5:12:", "6:5:"],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_all_wrong_values_of_a_file_of_inputs_have_their_lines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, places = FILES[name]
    Path(name).write_text(text, encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--inputs", name]) == 1
    said = capsys.readouterr().err
    for place in places:
        assert f"{name}:{place}" in said
    assert "flowdsl: error: the input `city` is missing" in said


def test_wrong_rows_of_a_csv_file_have_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.csv").write_text('name,price\nCup,1\n"two\nlines",10\n\nPlate,much\n', encoding="utf-8")
    assert main(["run", "a.flow.yaml", "-i", "city=Bergen", "-i", "count=x", "-i", "rows=@a.csv"]) == 1
    said = capsys.readouterr().err
    assert "a.csv:3:1: error: the input `rows`[1]['price'] does not fit its schema: `10` is more than 9" in said
    assert "a.csv:6:1: error: the input `rows`[2]['price'] does not fit its schema: 'much'" in said.replace(
        "`much`", "'much'"
    )
    assert "flowdsl: error: the input `count` does not fit its schema" in said


def test_an_option_in_place_of_a_value_of_the_file_is_what_counts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("inputs.yaml").write_text("count: many\ncity: Bergen\n", encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--inputs", "inputs.yaml", "-i", "count=2", "-q"]) == 0
    assert capsys.readouterr().err == ""
