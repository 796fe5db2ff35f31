"""Which command is meant: synonyms, near misses, words of other tools; and help that fits the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import COMMANDS, main
from flowdsl.cli.steps import page
from flowdsl.reference.docs import step_page
from flowdsl.reference.docstrings import documented
from flowdsl.step.registry import installed


def test_format_is_understood_as_fmt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.flow.yaml").write_text("- {step: SET, text: a}\n", encoding="utf-8")
    assert main(["format", str(tmp_path), "--check"]) == 0
    assert capsys.readouterr().err == "flowdsl: `format` is called `fmt` here\n1 file: 1 unchanged\n"


@pytest.mark.parametrize("word", ["check", "lint"])
def test_words_that_others_have_for_validate_are_understood(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.flow.yaml").write_text("- {step: SET, text: a}\n", encoding="utf-8")
    assert main([word, str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("1 file, no findings\n", f"flowdsl: `{word}` is called `validate` here\n")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("list", "`flowdsl steps` lists the steps"),
        ("fix", "`flowdsl validate --fix` corrects mistakes"),
        ("chekc", "did you mean `flowdsl validate`?"),
        ("imgae", "did you mean `flowdsl image`?"),
        ("completions", "did you mean `flowdsl completion`?"),
        ("--verison", "did you mean `flowdsl --version`?"),
        ("xyz", f"there are {', '.join(COMMANDS)}"),
    ],
)
def test_a_word_that_is_no_command_gets_the_nearest_or_what_there_is(
    word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word]) == 2
    assert said in capsys.readouterr().err


def test_the_short_option_names_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-V"]) == 0
    assert capsys.readouterr().out.startswith("flowdsl ")


@pytest.mark.parametrize("columns", [56, 72, 100])
@pytest.mark.parametrize("command", [None, *COMMANDS], ids=lambda name: name or "flowdsl")
def test_help_is_no_wider_than_the_terminal(
    command: str | None, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    main([command, "--help"] if command else ["--help"])
    lines = capsys.readouterr().out.partition("examples:")[0].splitlines()
    assert [line for line in lines if len(line) > columns] == []


STEPS = sorted(installed())


@pytest.mark.parametrize("name", STEPS)
def test_the_page_of_a_step_on_the_terminal_says_what_the_page_in_the_docs_says(name: str) -> None:
    """Every word in backticks stands in both: names of keys, of what a template reads, values, settings."""
    spec = documented(installed().step_class(name))
    shown = page(spec)
    words = {
        word
        for part in step_page(spec).partition("# ")[2].split("`")[1::2]
        for word in part.split()
        if "\n" not in part
    }
    assert {word for word in words if word.replace("\\|", "|") not in shown} == set()


def test_the_page_of_a_step_names_what_its_templates_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steps", "SAVE_IMAGES"]) == 0
    words = capsys.readouterr().out.replace(",", " ").split()
    assert {"width", "height", "sha256", "index", "prompt"} <= set(words)
