"""A record of a batch is named by its batch and its number, and what is decided of it is decided of no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowdsl.cli import main

CARD = """\
inputs: {name: {type: string}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, id: card, model: gpt-image-2, quality: low, size: 1024x1024,
     instruction: "A card for {{ inputs.name }}"}
"""
Called = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Called:
    """Runs a command in a folder with a batch of three records, of which two are in doubt."""
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD, encoding="utf-8")
    Path("people.csv").write_text("name\nAda\nBo\nCy\n", encoding="utf-8")

    def called(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    batch = ("batch", "card.flow.yaml", "--over", "people.csv", "--simulate", "--quiet", "--concurrency", "1")
    assert called(*batch, "--out", "cards", "--fault", "card=reset:2")[0] == 4
    return called


def short(run: Called) -> str:
    """The id of the batch, as it is listed."""
    return run("runs", "list")[1][:13]


def test_a_record_is_named_by_the_listed_id_of_its_batch_and_its_number(run: Called) -> None:
    code, out, _ = run("runs", "show", f"{short(run)}.1")
    assert (code, out.split()[1], "A card for Bo" in out) == (0, "failed", True)
    assert run("runs", "show", "last.1")[1] == out
    assert run("graph", "--run", "last.2")[0] == run("report", "last.2")[0] == 0
    code, _, err = run("runs", "show", "last.9")
    assert (code, f"record 9 of the batch {short(run)} has paid for nothing" in err) == (2, True)


@pytest.mark.long
def test_the_release_that_a_record_shows_is_of_that_record_alone(run: Called) -> None:
    _, out, _ = run("runs", "show", "last.0")
    (release,) = (line.split("    ")[0] for line in out.splitlines() if line.startswith("  flowdsl runs "))
    assert run(*release.split()[1:])[1].startswith("1 request is released: ")
    assert "  in doubt: record 1\n" in run("runs", "show", "last")[1]
    assert run("resume", "--quiet")[1].startswith("2 records done, 1 in doubt, ")


@pytest.mark.long
def test_a_record_is_not_given_up_by_itself_as_its_batch_would_send_it_again(run: Called) -> None:
    code, out, err = run("runs", "cancel", "last.0")
    assert (code, out) == (2, "")
    assert f"is a record of a batch: `flowdsl runs cancel {short(run)}` gives the whole batch up" in err


@pytest.mark.long
def test_a_record_is_resumed_with_its_batch_and_no_host_is_said_to_have_made_it(run: Called) -> None:
    code, _, err = run("resume", "last.0")
    assert (code, f"`flowdsl resume {short(run)}` goes on with the batch" in err, "host" in err) == (2, True, False)


@pytest.mark.long
def test_a_batch_that_was_released_is_held_again(run: Called) -> None:
    assert run("runs", "release", "last")[1].startswith("2 released: ")
    assert run("runs", "hold", "last")[1] == "2 held: what is held is not sent again\n"
    assert run("runs", "hold", "last")[1].startswith("0 held: ")
    assert run("resume", "--quiet")[1].startswith("1 record done, 2 in doubt, ")


@pytest.mark.long
def test_a_batch_that_is_done_is_not_given_up(run: Called) -> None:
    assert run("resume", "--resend", "--quiet")[0] == 0
    code, out, err = run("runs", "cancel", "last")
    assert (code, out, "is done: there is nothing to give up" in err) == (2, "", True)
    assert run("runs", "list")[1].split()[1] == "done"
