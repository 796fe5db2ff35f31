"""A batch whose disk is full: it stops, finishes what it has sent, and `resume` goes on without buying it again."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl.cli.record_files import Lines

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


def batch() -> int:
    more = ("--simulate", "--quiet", "--out", "cards", "--concurrency", "3")
    return main(["batch", "card.flow.yaml", "--over", "who.csv", *more])


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


def test_half_a_character_of_a_record_that_failed_is_the_same_when_the_file_is_run_again(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "failed.jsonl")
    lines.add({"name": "\ud800"})
    lines.close()
    assert json.loads((tmp_path / "failed.jsonl").read_text(encoding="utf-8")) == {"name": "\ud800"}
