"""A journal that is no journal, or no longer one: nothing is sent, and the message says what to do."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from journaled import BOAT, shop

from flowdsl.errors import RunError
from flowdsl.journal.database import Database
from flowdsl.journal.errors import JournalError
from flowdsl.journal.journal import Journal
from flowdsl.journal.tables import STEPS, VERSION

FAIL = "- step: RAISE\n  message: not today\n"


def of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs (a)")


def of_another_program_at_a_version(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION}")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 16000)


DAMAGED = 4096 + 16000
"""Where the damage ends that is largest."""
DAMAGES: dict[str, Callable[[Path], object]] = {
    "a text": lambda path: path.write_text("this is a text of somebody who wanted to keep it\n" * 9),
    "random bytes": lambda path: path.write_bytes(os.urandom(20_000)),
    "cut off in a page": lambda path: os.truncate(path, 5000),
    "cut off after a page": lambda path: os.truncate(path, 8192),
    "overwritten in the middle": overwritten,
    "of another program": of_another_program,
    "of another program at a version": of_another_program_at_a_version,
    "newer": newer,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_is_refused_before_anything_is_sent(damage: str, tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        run = at.run(BOAT + FAIL).result.run
        file = at.state / "journal.sqlite"
        kept = file.read_bytes()
        DAMAGES[damage](file)
        damaged = file.read_bytes()
        error = at.run(BOAT)
        assert isinstance(error, JournalError)
        assert error.code == ("journal-newer" if damage == "newer" else "journal-damaged"), error
        assert str(file) in error.message
        with pytest.raises(JournalError, match=r"journal\.sqlite"):
            at.run(BOAT, resume=run)
        assert (at.bought, file.read_bytes()[:DAMAGED]) == (1, damaged[:DAMAGED])  # after that, turns are counted

        file.rename(tmp_path / "away.sqlite")  # as the message says
        assert at.run(BOAT).recovered == 0
        file.write_bytes(kept)  # or from a copy
        assert at.run(BOAT, resume=run).recovered == 1
        assert at.bought == 2


def test_an_empty_file_is_a_journal_of_nothing(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        at.state.mkdir()
        (at.state / "journal.sqlite").touch()
        assert at.run(BOAT).recovered == 0
        assert len(at.rows()) == 1


@pytest.mark.parametrize("what", ["a file", "a link to nothing", "a link to itself"])
def test_what_stands_in_the_place_of_the_folder_is_told(what: str, tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        if what == "a file":
            at.state.write_text("mine")
        else:
            at.state.symlink_to(at.state if what == "a link to itself" else tmp_path / "nowhere" / "else")
        error = at.run(BOAT)
        assert isinstance(error, JournalError)
        assert (
            error.message == f"the journal's folder {at.state} cannot be made: something that is no folder stands there"
        )
        assert at.bought == 0
        at.state.unlink()
        at.run(BOAT)
        assert at.bought == 1


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with shop(tmp_path) as at:
        at.state.symlink_to(tmp_path / "elsewhere")
        at.run(BOAT)
    assert (tmp_path / "elsewhere" / "journal.sqlite").exists()


def test_a_journal_of_an_older_version_is_migrated_and_its_runs_are_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop(tmp_path) as at:
        run = at.run(BOAT + FAIL).result.run
        later = (*STEPS, "ALTER TABLE ledger ADD COLUMN colour TEXT;\n CREATE TABLE later (a) WITHOUT ROWID")
        for broken in (True, False):
            step = later[-1] if broken else later[-1].replace("(a) WITHOUT ROWID", "(a PRIMARY KEY)")
            monkeypatch.setattr("flowdsl.journal.tables.STEPS", (*STEPS, step))
            monkeypatch.setattr("flowdsl.journal.tables.VERSION", VERSION + 1)
            if broken:  # a step that fails in the middle leaves the journal as it was
                with pytest.raises(RunError):
                    at.rows()
                continue
            assert at.rows("PRAGMA user_version")[0]["user_version"] == VERSION + 1
            assert at.run(BOAT, resume=run).recovered == 1
        assert at.bought == 1
        assert [row["colour"] for row in at.rows()] == [None]
        monkeypatch.undo()
        error = at.run(BOAT)  # and with the older program again
        assert error.code == "journal-newer"


@pytest.mark.long
def test_two_that_make_a_journal_at_once_both_have_it(tmp_path: Path) -> None:
    for number in range(20):
        many = [Database(tmp_path / str(number)) for _ in range(4)]
        ended = [each.submit(lambda db: db.execute("SELECT count(*) FROM ledger").fetchone()[0]) for each in many]
        assert [future.result(60) for future in ended] == [0] * 4
        for each in many:
            each.close()


def test_a_run_of_a_journal_that_is_closed_sends_nothing(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        journal = Journal(at.state)
        journal.close()
        with pytest.raises(JournalError) as caught:
            at.flow(BOAT).run(journal=journal)
        assert (caught.value.code, at.bought) == ("journal-closed", 0)
