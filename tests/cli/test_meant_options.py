"""An option that a command does not know is told with one that does what was meant, and works when it is typed."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.journal.journal import Journal

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
        ("run card.flow.yaml --input name=Ada", "-i name=Ada", "run card.flow.yaml"),
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
        "an input behind the word for it",
        "an input before the flow",
        "a misspelt input",
        "a file for a picture",
        "a file in a folder",
        "a folder",
    ],
)
@pytest.mark.long
def test_what_is_meant_works_when_it_is_typed(
    wrong: str, meant: str, right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(wrong)) == 2
    assert f"`{meant}`" in capsys.readouterr().err
    assert main([*shlex.split(f"{right} {meant}"), "--simulate", "--quiet"]) == 0


def test_records_that_stand_alone_are_meant_for_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "card.flow.yaml", "people.csv"]) == 2
    assert "required: --over; did you mean `--over people.csv`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("plan card.flow.yaml people.csv", "`people.csv`; did you mean `--over people.csv`?"),
        ("run card.flow.yaml --input name Ada", "`--input`; an input of the flow is given as `-i NAME=VALUE`"),
        ("run card.flow.yaml --input in.json", "`--input`; did you mean `--inputs`?"),
        ("image kite --input in.json", "`--input`"),
    ],
)
def test_the_nearest_option_is_not_told_where_another_is_meant(
    wrong: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(wrong)) == 2
    assert f"unknown argument {said}" in capsys.readouterr().err


def test_a_map_to_no_input_is_told_with_the_inputs_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "card.flow.yaml", "--over", "people.csv", "--map", "full=name", "--simulate"]) == 2
    assert "the flow has no input `full`; it has name, count\n" in capsys.readouterr().err


def test_an_option_that_is_no_input_is_told_with_the_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "card.flow.yaml", "--size", "big"]) == 2
    assert "`--size`; the flow declares no input `size`; it has name, count\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("run card.flow.yaml --over people.csv", "`flowdsl batch` takes it"),
        ("run card.flow.yaml people.csv", "did you mean `flowdsl batch card.flow.yaml --over people.csv`?"),
        (
            "run people.csv",
            "people.csv holds records, and no flow; did you mean `flowdsl batch FLOW --over people.csv`?",
        ),
        (
            "run card.flow.yaml -i name=@people.csv",
            "`flowdsl batch FLOW --over FILE` runs the flow once for each record",
        ),
        ("run card.flow.yaml --cache projct", "did you mean `project`?"),
        ("batch people.csv --over card.flow.yaml", "did you mean `flowdsl batch card.flow.yaml --over people.csv`?"),
        ("batch card.flow.yaml --over people.csv --input name=Ada", "an input of the flow is given as `-i name=Ada`"),
        ("batch card.flow.yaml --over people.csv --inputs a.yaml", "an input of the flow is given as `-i NAME=VALUE`"),
        ("batch card.flow.yaml --over people.csv --dry-run", "`flowdsl run` takes it"),
        ("resume --simulate", "it goes on with the options that it began with"),
        ("resume --name Ada", "an input of the flow is given as `-i name=Ada`"),
        ("costs --by modle", "did you mean `model`?"),
        ("costs last", "`flowdsl runs show RUN` says what one run has cost"),
        ("costs --since 2026-12-01 --until 2026-11-01", "--since 2026-12-01 is after --until 2026-11-01"),
        ("plan card.flow.yaml people.csv", "did you mean `--over people.csv`?"),
        ("convert card.flow.yaml -o new.yaml", "`-o`; `--out new.yaml` says where to write\n"),
        ("report last --output page.html", "`--output`; `--out page.html` says where to write\n"),
        ("graph card.flow.yaml -o card.svg", "`-o`; `--output card.svg` says where to write\n"),
        ("validate card.flow.yaml -o found.json", "`-o`; `--output-file found.json` says where to write\n"),
        ("schema -o new", "`-o`; `--out new` says where to write\n"),
        ("runs last", "`flowdsl runs show last` shows a run"),
        ("provenance boat.png", "did you mean `flowdsl-images/boat.png`?"),
        ("provenance flowdsl-images/baot.png", "did you mean `flowdsl-images/boat.png`?"),
        ("provenance flowdsl-images", "Is a directory: name a picture in it"),
        ("report flowdsl-imags", "did you mean the folder `flowdsl-images`?"),
    ],
)
def test_what_is_asked_of_the_wrong_command_is_told_with_the_right_one(
    wrong: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flowdsl-images").mkdir()
    Path("flowdsl-images/boat.png").touch()
    with Journal(os.environ["FLOWDSL_STATE"]) as journal:
        journal.database.submit(lambda _: None).result()
    assert main(shlex.split(wrong)) in (1, 2)
    assert said in capsys.readouterr().err


def test_records_that_are_nowhere_are_told_with_what_they_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "card.flow.yaml", "-i", "name=@people.csv"]) == 2
    assert "--over, which names the records: a .jsonl, .csv or .tsv file\n" in capsys.readouterr().err
