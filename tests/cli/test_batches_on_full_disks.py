"""A batch whose disk is full: it stops, finishes what it has sent, and `resume` goes on without buying it again."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl.cli.record_files import Lines
from flowdsl.image import shelf

pytestmark = pytest.mark.long

CARD = """\
inputs: {name: {type: string}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "A card for {{ inputs.name }}"}
"""
RECORDS = 12
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "card.flow.yaml").write_text(CARD)
    (tmp_path / "who.csv").write_text("name\n" + "".join(f"P{number}\n" for number in range(RECORDS)))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


BATCH = (
    "batch",
    "card.flow.yaml",
    "--over",
    "who.csv",
    "--simulate",
    "--quiet",
    "--out",
    "cards",
    "--concurrency",
    "3",
)
_OWN = ("file", "original", "prompt", "request_id", "sha256", "file_sha256", "run", "made")


def batch() -> int:
    return main([*BATCH])


def went_on(capsys: pytest.CaptureFixture[str]) -> tuple[str, list[dict[str, Any]]]:
    """What a resumed batch prints, and its results."""
    capsys.readouterr()
    assert main(["resume", "--quiet"]) == 0
    text = Path("cards/results.jsonl").read_text(encoding="utf-8")
    return capsys.readouterr().out, [json.loads(line) for line in text.splitlines()]


@pytest.mark.long
def test_requests_under_way_when_results_cannot_be_written_are_not_left_in_doubt(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(_: Lines, line: Mapping[str, Any]) -> None:
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(Lines, "add", add)
        assert batch() == 4
    out, err = capsys.readouterr()
    assert "in doubt" not in out + err and "Traceback" not in err
    assert "stopped: cards cannot be written to: No space left on device" in err
    assert "make room; `flowdsl resume" in err
    out, results = went_on(capsys)
    assert out.splitlines()[0] == f"{RECORDS} records done, simulated, would cost about $0.07"  # each bought once
    assert sorted(line["record"] for line in results) == [*range(RECORDS)]


@pytest.mark.long
def test_a_folder_that_takes_no_more_pictures_stops_the_batch_before_all_are_bought_and_failed(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def written(descriptor: int, content: Any) -> int:
        path = Path(f"/proc/self/fd/{descriptor}")
        if path.exists() and path.readlink().is_relative_to(place / "cards" / ".originals"):
            raise FULL
        return write(descriptor, content)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", written)
        assert batch() == 4
    _, err = capsys.readouterr()
    assert ".originals takes no more pictures: No space left on device" in err and "make room" in err
    assert not Path("cards/failed.jsonl").exists()  # run again, it would buy what is paid for
    assert main(["runs"]) == 0
    assert "stopped  batch of 3 requests" in capsys.readouterr().out
    out, results = went_on(capsys)
    assert out.splitlines()[0] == f"{RECORDS} records done, simulated, would cost about $0.07"
    assert sorted(line["record"] for line in results) == [*range(RECORDS)]
    pictures = {Path(image["path"]) for line in results for image in line["images"]}
    assert {path.parent for path in pictures} == {
        place / "cards"
    }  # none is left among temporary files, and in the list
    assert len(pictures) == RECORDS and all(path.is_file() for path in pictures)


def test_a_batch_whose_end_the_journal_does_not_take_says_what_it_has_made(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*BATCH, "--max-requests", "3"]) == 4
    named = json.loads(Path("cards/results.jsonl").read_text(encoding="utf-8").partition("\n")[0])["run"].partition(
        "."
    )[0]
    file = Path(os.environ["FLOWDSL_STATE"]) / "journal.sqlite"
    with closing(sqlite3.connect(file)) as journal, journal:
        journal.execute(
            "CREATE TRIGGER refuses BEFORE UPDATE ON batches WHEN NEW.ended IS NOT NULL "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    capsys.readouterr()
    resumed = ["resume", named, "--quiet", "--max-requests", str(RECORDS)]
    assert main(resumed) == 0
    assert capsys.readouterr().out.startswith(f"{RECORDS} records done, simulated")
    with closing(sqlite3.connect(file)) as journal, journal:
        journal.execute("DROP TRIGGER refuses")
    assert main(resumed) == 0
    assert capsys.readouterr().out.startswith(f"{RECORDS} records done, simulated")


def test_a_batch_that_a_full_journal_ends_says_what_it_has_made_and_how_it_goes_on(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*BATCH, "--max-requests", "3"]) == 4
    file = Path(os.environ["FLOWDSL_STATE"]) / "journal.sqlite"
    with closing(sqlite3.connect(file)) as journal, journal:
        journal.execute(
            "CREATE TRIGGER refuses BEFORE INSERT ON ledger WHEN (SELECT count(*) FROM ledger) >= 5 "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    capsys.readouterr()
    assert main(["resume", "--quiet", "--max-requests", str(RECORDS)]) == 4
    out, err = capsys.readouterr()
    assert out.startswith("5 records done, simulated, would cost about $0.03\n")
    assert "goes on, and buys nothing twice\n" in err and "in doubt" not in out + err
    assert err.count("database or disk is full") == 1
    with closing(sqlite3.connect(file)) as journal, journal:
        journal.execute("DROP TRIGGER refuses")
    assert main(["resume", "--quiet", "--max-requests", str(RECORDS)]) == 0
    assert capsys.readouterr().out.startswith(f"{RECORDS} records done, simulated")


@pytest.mark.parametrize("status", ["running", "done"])
def test_what_the_journal_did_not_take_of_a_record_that_is_done_is_not_sent_again(
    place: Path, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    assert main([*BATCH, "--max-requests", "3"]) == 4
    results = Path("cards/results.jsonl").read_text(encoding="utf-8")
    first = json.loads(results.partition("\n")[0])
    file = Path(os.environ["FLOWDSL_STATE"]) / "journal.sqlite"
    with closing(sqlite3.connect(file)) as journal, journal:
        update = "UPDATE ledger SET state = 'started', result = NULL, images = 0, cost_usd = NULL, ended = NULL"
        journal.execute(f"{update} WHERE run = ?", (first["run"],))
        journal.execute("UPDATE runs SET status = ?, ended = NULL WHERE id = ?", (status, first["run"]))
    named = first["run"].partition(".")[0]
    assert main(["resume", named, "--resend", "--quiet", "--max-requests", "6"]) == 4
    assert main(["runs", "show", first["run"], "--json"]) == 0
    assert '"status": "done"' in capsys.readouterr().out
    assert main(["resume", named, "--quiet", "--max-requests", str(RECORDS)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{RECORDS} records done, simulated") and "caught" not in out + err and "--resend" not in err
    assert first in map(json.loads, Path("cards/results.jsonl").read_text(encoding="utf-8").splitlines())
    assert main(["runs", "show", named]) == 0
    out = capsys.readouterr().out
    assert f"batch of {RECORDS} requests" in out and "--resend" not in out and "caught" not in out
    assert main(["runs", "show", first["run"]]) == 0
    before = capsys.readouterr().out
    assert "settled: 1. Its record is done" in before and "caught" not in before and "runs release" not in before
    request = json.loads(_shown(first["run"], capsys))["requests"][0]["id"][:8]
    assert main(["runs", "release", first["run"], request]) == main(["runs", "hold", first["run"]]) == 0
    capsys.readouterr()
    assert main(["runs", "show", first["run"]]) == 0
    assert capsys.readouterr().out == before


def _shown(run: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["runs", "show", run, "--json"]) == 0
    return capsys.readouterr().out


def refused(monkeypatch: pytest.MonkeyPatch, every: int = 1) -> None:
    """Manifests take no line, or not `every` second or third."""
    add, asked = shelf.add_to_manifest, count(1)

    def added(*arguments: Any, **named: Any) -> Path:
        if next(asked) % every:
            return add(*arguments, **named)
        raise FULL

    monkeypatch.setattr(shelf, "add_to_manifest", added)


def listed() -> list[dict[str, Any]]:
    path = Path("cards/manifest.json")
    lines: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["images"] if path.exists() else []
    return lines


def test_pictures_of_records_that_are_done_are_listed_later_where_the_manifest_took_no_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        refused(patched, every=3)
        assert batch() == 0
    left = RECORDS // 3
    assert len(listed()) == RECORDS - left
    err = capsys.readouterr().err
    assert f"{left} pictures are in no manifest.json, which took no line: `flowdsl resume " in err
    results = Path("cards/results.jsonl").read_bytes()
    named = err.partition("`flowdsl resume ")[2].partition("`")[0]
    assert main(["resume", named]) == 0
    assert f"it is done; {left} pictures were listed in manifest.json" in capsys.readouterr().out
    whole, late = listed()[: RECORDS - left], listed()[RECORDS - left :]
    assert len({line["file"] for line in (*whole, *late)}) == RECORDS
    journaled = {"flow", "at"}  # which the journal does not have
    assert {key for line in late for key in line} == whole[0].keys() - journaled
    for line in late:
        assert all((place / "cards" / line[name]).is_file() for name in ("file", "original"))
        assert line["prompt"] == f"A card for P{line['run'].rpartition('.')[2]}"
        assert {**line, **{key: whole[0][key] for key in _OWN}} == {
            key: value for key, value in whole[0].items() if key not in journaled
        }
    assert Path("cards/results.jsonl").read_bytes() == results
    assert main(["resume", named]) == 2
    assert "is done: there is nothing to resume" in capsys.readouterr().err


def test_a_batch_that_goes_on_lists_what_the_manifest_did_not_take_before(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        refused(patched)
        assert main([*BATCH, "--max-requests", "6"]) == 4
    assert listed() == []
    capsys.readouterr()
    assert main(["resume", "--quiet", "--max-requests", str(RECORDS)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{RECORDS} records done, simulated, would cost about $0.07"
    assert "manifest.json" not in err
    assert len({line["file"] for line in listed()}) == len(listed()) == RECORDS


def test_pictures_of_a_run_that_is_done_are_listed_later_where_the_manifest_took_no_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["run", "card.flow.yaml", "--simulate", "--out", "cards", "-i", "name=P"]
    with monkeypatch.context() as patched:
        refused(patched)
        assert main(run) == 0
        err = capsys.readouterr().err
        assert "1 picture is in no manifest.json, which took no line: `flowdsl resume " in err
        named = err.partition("`flowdsl resume ")[2].partition("`")[0]
    with monkeypatch.context() as patched:
        patched.setattr("flowdsl.journal.unlisted.add_to_manifest", full)
        assert main(["resume", named]) == 2
        assert "it is done, but 1 picture is in no manifest.json" in capsys.readouterr().err
    assert main(["resume", named]) == 0
    assert "it is done; 1 picture was listed in manifest.json" in capsys.readouterr().out
    assert [line["prompt"] for line in listed()] == ["A card for P"]
    assert main(["resume", named]) == 2
    assert "is done: there is nothing to resume" in capsys.readouterr().err


def test_pictures_of_a_batch_that_was_given_up_are_listed_later_too(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        refused(patched)
        assert main([*BATCH, "--max-requests", "3"]) == 4
    err = capsys.readouterr().err
    named = err.partition("lists them")[0].rpartition("`flowdsl resume ")[2].partition("`")[0]
    assert main(["runs", "cancel", named]) == 0
    assert main(["resume", named]) == 0
    assert "it was given up; 3 pictures were listed in manifest.json" in capsys.readouterr().out
    assert len(listed()) == 3
    assert main(["resume", named]) == 2


def full(*_: Any, **__: Any) -> Path:
    raise FULL


def test_half_a_character_of_a_record_that_failed_is_the_same_when_the_file_is_run_again(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "failed.jsonl")
    lines.add({"name": "\ud800"})
    lines.close()
    assert json.loads((tmp_path / "failed.jsonl").read_text(encoding="utf-8")) == {"name": "\ud800"}
