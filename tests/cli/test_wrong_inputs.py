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
    assert "is missing" not in said  # `city` is what `cty` means


def test_wrong_rows_of_a_csv_file_have_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.csv").write_text('name,price\nCup,1\n"two\nlines",10\n\nPlate,much\n', encoding="utf-8")
    assert main(["run", "a.flow.yaml", "-i", "city=Bergen", "-i", "count=x", "-i", "rows=@a.csv"]) == 1
    said = capsys.readouterr().err
    schema = "does not fit the schema of the input `rows`"
    assert f"a.csv:4:8: error: line 4, column 2 (`price`) {schema}: `10` is more than 9" in said
    assert f"a.csv:6:7: error: line 6, column 2 (`price`) {schema}: `much`" in said
    assert "flowdsl: error: the input `count` does not fit its schema" in said


def test_an_option_in_place_of_a_value_of_the_file_is_what_counts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("inputs.yaml").write_text("count: many\ncity: Bergen\n", encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--inputs", "inputs.yaml", "-i", "count=2", "-q"]) == 0
    assert capsys.readouterr().err == ""


HINTS: dict[str, tuple[list[str], list[str]]] = {
    "the name of a file without its mark": (
        ["-i", "rows=rows.csv"],
        ["`-i rows=@rows.csv` reads it from a file, .json, .yaml or .csv"],
    ),
    "a list in brackets": (["-i", "rows=[1]"], ["`-i rows=@FILE` reads it from a file"]),
    "a text file": (["-i", "rows=@lines.txt"], ["`-i rows=@FILE` reads it from a file"]),
    "a csv file as a file of inputs": (
        ["--inputs", "rows.csv"],
        ["inputs are a map", "one input from a file is given as `-i NAME=@rows.csv`"],
    ),
    "an input as a file of inputs": (
        ["--inputs", "rows=@rows.csv"],
        ["there is no `rows=@rows.csv`; one input is given as `-i rows=@rows.csv`"],
    ),
    "all inputs as JSON": (
        ["--inputs", '{"rows": "a=b"}'],
        ["--inputs takes a file, and no JSON; one input is given as `-i NAME=VALUE`"],
    ),
    "a file without a name": (["-i", "@rows.csv"], ["`@rows.csv` is not NAME=VALUE, such as `NAME=@rows.csv`"]),
    "rows where texts are taken": (
        ["-i", "words=@rows.csv"],
        ["each line of a CSV file is a map", "declare `items: {type: object}`"],
    ),
    "names in capitals": (["-i", "rows=@capitals.csv"], ["`sku` is missing; it has `SKU`"]),
    "nothing": ([], ["for example `-i rows=@FILE`"]),
}


@pytest.mark.parametrize("case", HINTS)
def test_a_list_given_the_wrong_way_is_told_the_right_one(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, said = HINTS[case]
    Path("rows.csv").write_text("sku\nA-1\n", encoding="utf-8")
    Path("capitals.csv").write_text("SKU\nA-1\n", encoding="utf-8")
    Path("lines.txt").write_text("a\nb\n", encoding="utf-8")
    Path("list.flow.yaml").write_text(
        "inputs:\n  rows: {type: array, items: {type: object, required: [sku]}}\n"
        "  words: {type: array, items: {type: string}, default: []}\nflow: [{step: SET, x: 1}]\n",
        encoding="utf-8",
    )
    assert main(["run", "list.flow.yaml", *arguments]) != 0
    shown = capsys.readouterr().err
    for text in said:
        assert text in shown


@pytest.mark.parametrize("name", ["a.flow.yml", "a", "a.yaml"], ids=["another ending", "no ending", "half an ending"])
def test_a_flow_with_another_ending_is_found_beside_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", name]) == 2
    assert capsys.readouterr().err == f"flowdsl: {name}: No such file or directory; did you mean `a.flow.yaml`?\n"


def test_no_flow_is_named_for_a_missing_file_of_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "a.flow.yaml", "--inputs", "a.inputs.yaml"]) == 2
    assert capsys.readouterr().err == "flowdsl: a.inputs.yaml: No such file or directory\n"


@pytest.mark.parametrize(("name", "meant"), [("FOREACH", "FOR"), ("image", "OPENAI_IMAGE_GENERATION"), ("SETT", "SET")])
def test_the_name_of_a_step_in_other_tools_leads_to_its_page(
    name: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["steps", name]) == 2
    assert f" {meant}" in capsys.readouterr().err.partition("did you mean")[2]


TABLES = {
    "an empty cell": ("sku,price\nA,1\nB,\n", "a.csv:3:2: error: line 3, column 2 (`price`) ", "`price` is missing"),
    "a missing column": ("sku\nA\n", "a.csv:2:1: error: line 2 ", "`price` is missing"),
    "a cell behind quotes": ('sku,price\n"A, ""B""",x\n', "a.csv:2:12: error: line 2, column 2 (`price`) ", "`x`"),
    "the first cell": ("price;sku\nx;A\n", "a.csv:2:1: error: line 2, column 1 (`price`) ", "`x`"),
    "a line end of Windows": ("sku,price\r\nA,1\r\nB,x\r\n", "a.csv:3:3: error: line 3, column 2 (`price`) ", "`x`"),
}


@pytest.mark.parametrize(("text", "place", "said"), TABLES.values(), ids=TABLES)
def test_a_wrong_cell_is_named_by_line_and_column(
    text: str, place: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("t.flow.yaml").write_text(
        "inputs:\n  rows:\n    type: array\n"
        "    items: {type: object, required: [price], properties: {price: {type: number}}}\n"
        'flow:\n  - {step: SET, text: "{{ inputs.rows | length }}"}\n',
        encoding="utf-8",
    )
    Path("a.csv").write_bytes(text.encode())
    assert main(["run", "t.flow.yaml", "-i", "rows=@a.csv"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"{place}does not fit the schema of the input `rows`: {said}")


def test_a_column_that_the_flow_reads_and_no_line_has_is_told_before_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("t.flow.yaml").write_text(
        'inputs: {rows: {type: array}}\nflow:\n  - {step: FOR, var: row, items: "{{ inputs.rows }}", '
        'do: [{step: SET, text: "{{ flowContext.row.name }} {{ flowContext.row.note | default(1) }}"}]}\n',
        encoding="utf-8",
    )
    Path("a.csv").write_text("Name,price\nCup,1\n", encoding="utf-8")
    main(["run", "t.flow.yaml", "-i", "rows=@a.csv"])
    warning = "flowdsl: warning: -i rows: a.csv has no `name`, which the flow reads of each item; it has Name, price\n"
    assert warning in capsys.readouterr().err
    Path("a.csv").write_text("name\nCup\n", encoding="utf-8")
    assert main(["run", "t.flow.yaml", "-i", "rows=@a.csv"]) == 0
    assert "warning" not in capsys.readouterr().err
