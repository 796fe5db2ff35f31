"""An option that a command does not know is told with one that does what was meant, and works when it is typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from flowdsl.cli import main

CARD = """\
inputs: {name: {type: string}, count: {type: integer, default: 1}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, size: 1024x1024, instruction: "{{ inputs.name }}"}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD, encoding="utf-8")
    Path("people.csv").write_text("name\nAda\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("wrong", "meant", "right"),
    [
        ("batch card.flow.yaml people.csv", "--over people.csv", "batch card.flow.yaml"),
        ("batch card.flow.yaml --simulate people.csv", "--over people.csv", "batch card.flow.yaml"),
        ("run card.flow.yaml --name 'Ada L'", "-i 'name=Ada L'", "run card.flow.yaml"),
        ("run --name Ada card.flow.yaml", "-i name=Ada", "run card.flow.yaml"),
        ("run card.flow.yaml --nme=Ada", "-i name=Ada", "run card.flow.yaml"),
        ("image 'a kite' --model gpt-image-2 -o y.png", "--out .", "image 'a kite' --model gpt-image-2"),
        (
            "image 'a kite' --model gpt-image-2 --output=new/y.png",
            "--out new",
            "image 'a kite' --model gpt-image-2",
        ),
        ("run card.flow.yaml -i name=Ada -o new", "--out new", "run card.flow.yaml -i name=Ada"),
    ],
    ids=[
        "records that stand alone",
        "records behind a flag",
        "an input as an option",
        "an input before the flow",
        "a misspelt input",
        "a file for a picture",
        "a file in a folder",
        "a folder",
    ],
)
def test_what_is_meant_works_when_it_is_typed(
    wrong: str, meant: str, right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(wrong)) == 2
    assert f"`{meant}`" in capsys.readouterr().err
    assert main([*shlex.split(f"{right} {meant}"), "--simulate", "--quiet"]) == 0


def test_an_option_that_is_no_input_is_told_with_the_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "card.flow.yaml", "--size", "big"]) == 2
    assert "`--size`; the flow declares no input `size`; it has name, count\n" in capsys.readouterr().err


def test_records_that_are_nowhere_are_told_with_what_they_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "card.flow.yaml", "-i", "name=@people.csv"]) == 2
    assert "--over, which names the records: a .jsonl, .csv or .tsv file\n" in capsys.readouterr().err
