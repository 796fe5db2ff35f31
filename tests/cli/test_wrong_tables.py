"""`-i NAME=@FILE` with the files that people have at first: what is wrong is said of what is wrong, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = """\
inputs:
  products:
    type: array
    items: {type: object, required: [name], properties: {price: {type: number}, name: {type: string, minLength: 1}}}
flow:
  - {step: SET, names: "{{ inputs.products[0].name }}"}
outputs:
  names: "{{ flowContext.names }}"
"""


@pytest.fixture(autouse=True)
def in_a_folder_with_a_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")


def said(capsys: pytest.CaptureFixture[str], content: bytes, name: str = "p.csv", given: str = "products") -> str:
    Path(name).write_bytes(content)
    code = main(["run", "a.flow.yaml", "--quiet", "-i", f"{given}=@{name}"])
    printed = capsys.readouterr()
    assert (code == 0) is (printed.err == "")
    return printed.out + printed.err


def test_a_misspelt_name_of_an_input_is_not_blamed_on_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, b"name\ncup\n", given="product")
    assert found.startswith("flowdsl: error: the flow declares no input `product`")
    assert "did you mean `products`?" in found


def test_a_folder_is_none_of_the_files_that_inputs_are_read_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "a.flow.yaml", "-i", "products=@."]) == 2
    assert "-i products: `.` is a folder, and an input is read from one file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.xlsx", b"PK\x03\x04\x14\0\xa9", "`p.xlsx` is an Excel file, not a text; save the table as CSV"),
        ("p.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "`p.xls` is an Excel file, not a text; save the table as CSV"),
        ("p.csv", b"PK\x03\x04\x14\0", "`p.csv` is an Excel file or another archive, not a text; save the table"),
        ("p.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "`p.csv` is a binary file, not a text"),
        ("p.csv", "name\ncup\n".encode("utf-16"), "it looks like UTF-16"),
    ],
)
def test_a_spreadsheet_or_another_binary_file_is_called_one(
    capsys: pytest.CaptureFixture[str], name: str, content: bytes, words: str
) -> None:
    assert words in said(capsys, content, name)


@pytest.mark.parametrize("content", [b"sep=;\r\nname;price\r\ncup;1\r\n", b'\xef\xbb\xbf"sep=,"\nname,price\ncup,1\n'])
def test_a_first_line_that_says_what_separates_the_cells_names_no_columns(
    capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    assert said(capsys, content).startswith("names: cup\n")
    assert "p.csv:3:5: error: line 3, column 2 (`price`)" in said(capsys, content.replace(b"1", b"x"))


def test_a_decimal_comma_an_empty_cell_and_a_quote_in_a_cell_are_told_with_what_to_write(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "`24,90` is a text, and must be a number; write `24.90`" in said(capsys, b"name;price\ncup;24,90\n")
    assert "does not fit the schema of the input `products`: it is empty" in said(capsys, b"name,price\n,1\n")
    assert 'each " in it is written twice' in said(capsys, b'name,price\n"a 7" plate",1\n')


def test_validate_says_which_file_was_likely_meant(capsys: pytest.CaptureFixture[str]) -> None:
    Path("teapots.flow.yaml").write_text(FLOW, encoding="utf-8")
    assert main(["validate", "teapost.flow.yaml"]) == 2
    said = "there is no file or folder `teapost.flow.yaml`; did you mean `teapots.flow.yaml`?"
    assert said in capsys.readouterr().err
