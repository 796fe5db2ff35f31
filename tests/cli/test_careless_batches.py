"""What somebody does with batches who does not look: told before anything is bought twice."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from privileges import permissions_respected

from flowdsl.cli import main
from flowdsl.journal.journal import Journal

FLOW = """\
inputs: {city: {type: string}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "The skyline of {{ inputs.city }}"
    quality: low
"""
BATCH = ["batch", "a.flow.yaml", "--over", "cities.csv", "--simulate"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")
    Path("cities.csv").write_text("city\nA\nB\nC\n", encoding="utf-8")
    with permissions_respected():
        yield


def killed() -> str:
    """The beginning of the id of a batch that was killed when it had paid for a request, and no record had ended."""
    assert main([*BATCH, "--out", "out", "--quiet", "--max-requests", "1"]) == 4
    Path("out/results.jsonl").unlink()
    with closing(sqlite3.connect(Path(os.environ["FLOWDSL_STATE"]) / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE batches SET status = 'running', ended = NULL")
        (id,) = journal.execute("SELECT id FROM batches").fetchone()
    return str(id)[:13]


@pytest.mark.long
def test_the_folder_of_a_batch_that_was_killed_early_takes_no_other_batch(capsys: pytest.CaptureFixture[str]) -> None:
    id = killed()
    capsys.readouterr()
    assert main([*BATCH, "--out", "out"]) == 2
    err = capsys.readouterr().err
    assert err == (
        "flowdsl: out is the folder of a batch that is not finished: name another --out, or go on with that: "
        f"`flowdsl resume {id}`\n"
    )
    assert main(["runs", "cancel", id]) == 0
    assert main([*BATCH, "--out", "out", "--quiet"]) == 0


@pytest.mark.long
def test_a_batch_of_a_flow_of_which_another_is_not_finished_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    id = killed()
    capsys.readouterr()
    assert main([*BATCH, "--out", "other"]) == 0
    err = capsys.readouterr().err
    assert "an earlier batch of this flow is not finished: 1 request is paid for, $0.0059, simulated" in err
    assert f"`flowdsl resume {id}` goes on with it; this batch buys everything anew" in err


@pytest.mark.long
def test_a_request_of_a_batch_is_never_decided_with_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    id = killed()
    capsys.readouterr()
    for action in ("release", "hold"):
        assert main(["runs", action, id, "0a1b2c3d"]) == 2
        err = capsys.readouterr().err
        assert f"`flowdsl runs {action} {id}.RECORD 0a1b2c3d` is about that alone" in err


def test_a_folder_of_pictures_below_a_file_is_refused_before_anything_begins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in (BATCH, ["run", "a.flow.yaml", "-i", "city=A", "--simulate"]):
        assert main([*command, "--out", "cities.csv/out"]) == 2
        err = capsys.readouterr().err
        assert "cities.csv is no folder, and pictures go into one: name another" in err
        assert "batch 0" not in err


@pytest.mark.parametrize(
    ("name", "what"), [("folder.csv", "a folder"), (os.devnull, "a device or a pipe, which can be read once")]
)
def test_what_is_no_file_of_records_is_called_what_it_is(
    name: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder.csv").mkdir()
    assert main(["batch", "a.flow.yaml", "--over", name, "--simulate"]) == 2
    assert capsys.readouterr().err == f"flowdsl: --over {name}: that is {what}; name a .jsonl or .csv file\n"


@pytest.mark.long
def test_a_folder_that_takes_no_files_is_not_said_to_be_full(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir(mode=0o500)
    assert main([*BATCH, "--out", "out"]) == 4
    err = capsys.readouterr().err
    assert "Permission denied\n  make it writable; `flowdsl resume" in err
    Path("out").chmod(0o700)
    assert main(["resume", "--quiet"]) == 0


@pytest.mark.long
def test_records_whose_end_the_journal_did_not_take_are_done_and_not_in_doubt_as_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = Path(os.environ["FLOWDSL_STATE"])
    with Journal(state) as journal:
        journal.database.submit(lambda _: None).result()
    with closing(sqlite3.connect(state / "journal.sqlite")) as file, file:
        full = "SELECT RAISE(ABORT, 'database or disk is full')"
        file.execute(f"CREATE TRIGGER full BEFORE UPDATE ON ledger WHEN NEW.ended IS NOT NULL BEGIN {full}; END")
    main([*BATCH, "--out", "out"])
    out, err = capsys.readouterr()
    assert out.startswith("3 records done, simulated")
    assert "in doubt: requests were sent" not in err
    assert "did not take how 3 requests ended" in err


@pytest.mark.long
def test_what_a_batch_that_is_not_over_has_bought_is_not_cleaned_up(capsys: pytest.CaptureFixture[str]) -> None:
    id = killed()  # the line of the record that is done is not in its file
    with closing(sqlite3.connect(Path(os.environ["FLOWDSL_STATE"]) / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE runs SET began = began - 9000000")
    assert main(["runs", "gc"]) == 0
    assert "cleaned up after 0 finished runs" in capsys.readouterr().out
    assert main(["resume", id, "--quiet", "--max-requests", "9"]) == 0
    assert capsys.readouterr().out.startswith("3 records done, simulated, would cost about $0.02\n")
