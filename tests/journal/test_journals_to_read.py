"""A journal in a folder that nobody may write is read all the same: a copy that is kept, or that of somebody else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from journaled import BOAT

from flowdsl.cli import main
from flowdsl.journal.database import Database
from tests.privileges import permissions_respected


@pytest.mark.long
def test_what_only_reads_a_journal_works_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    state = Path(os.environ["FLOWDSL_STATE"])
    Path("boat.flow.yaml").write_text(BOAT, encoding="utf-8")
    with permissions_respected():
        assert main(["run", "boat.flow.yaml", "--simulate", "--quiet"]) == 0
        state.chmod(0o500)
        try:
            for line in ("runs list", "runs show last", "costs --simulated", "report", "provenance PICTURE"):
                words = line.replace("PICTURE", str(next(Path("flowdsl-images").glob("*.png")))).split()
                assert main(words) == 0, capsys.readouterr().err
            capsys.readouterr()
            assert main(["runs", "gc"]) == 4
            assert "cannot be written: " in capsys.readouterr().err
            bought = len(list(Path("flowdsl-images").glob("*.png")))
            assert main(["run", "boat.flow.yaml", "--simulate", "--quiet"]) == 4
            assert "[journal-unwritable]" in capsys.readouterr().err
            assert len(list(Path("flowdsl-images").glob("*.png"))) == bought
        finally:
            state.chmod(0o700)


def test_what_a_killed_process_left_beside_the_file_is_read_too(tmp_path: Path) -> None:
    own, copy = tmp_path / "own", tmp_path / "copy"
    with Database(own) as database, permissions_respected():
        database.submit(
            lambda db: db.execute("INSERT INTO names (run, original, file) VALUES ('r', 'a', 'b')")
        ).result()
        shutil.copytree(own, copy)  # as after `kill -9`: what is written is in the log still
        assert (copy / "journal.sqlite-wal").stat().st_size
        copy.chmod(0o500)
        try:
            with Database(copy) as kept:
                assert [tuple(row) for row in kept.read("SELECT run, original, file FROM names")] == [("r", "a", "b")]
        finally:
            copy.chmod(0o700)
