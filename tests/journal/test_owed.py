"""How a paid request ended is written later where the journal did not take it at first: what was bought is not in doubt
for ever."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from journaled import BOAT, Shop, shop

from flowdsl.cli import main
from flowdsl.errors import RunError
from flowdsl.events import Event, StepFinished
from flowdsl.journal.journal import Journal

REFUSES = """CREATE TRIGGER refuses BEFORE UPDATE ON ledger WHEN NEW.ended IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"""
SHIP = BOAT.replace("A paper boat", "A ship")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path, plain=True) as found:
        yield found


def states(found: Shop) -> list[str]:
    return [row["state"] for row in found.rows()]


def change(folder: Path, statement: str) -> None:
    """What another program does to a journal; a file that takes no end of a request is made of one by `REFUSES`."""
    with Journal(folder) as journal:
        journal.database.submit(lambda _: None).result()
    with closing(sqlite3.connect(folder / "journal.sqlite")) as file, file:
        file.execute(statement)


@pytest.mark.long
def test_what_the_journal_did_not_take_is_written_with_the_next_request_of_the_run(at: Shop) -> None:
    change(at.state, REFUSES)
    seen = list[list[str]]()

    def hear(event: Event) -> None:
        if isinstance(event, StepFinished):
            seen.append(states(at))
            if len(seen) == 1:
                change(at.state, "DROP TRIGGER refuses")

    with Journal(at.state) as journal:
        result = at.flow(BOAT + SHIP).run(on_event=hear, journal=journal)
        assert len(journal.database.owed) == 0
    assert seen == [["started"], ["ok", "ok"]]
    assert [code for code, _ in result.notes] == ["journal-behind"]
    assert (states(at), at.bought) == (["ok", "ok"], 2)


def test_what_the_journal_did_not_take_is_written_when_it_is_closed(at: Shop) -> None:
    change(at.state, REFUSES)
    with Journal(at.state) as journal:
        at.flow(BOAT).run(journal=journal)
        assert (len(journal.database.owed), states(at)) == (1, ["started"])
        change(at.state, "DROP TRIGGER refuses")
    assert states(at) == ["ok"]
    assert at.rows()[0]["images"] == 1


def test_a_refusal_that_the_journal_did_not_take_is_written_later_too(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True, faults=["moderation"]) as at:
        change(at.state, REFUSES)
        with Journal(at.state) as journal:
            with pytest.raises(RunError):
                at.flow(BOAT).run(journal=journal)
            change(at.state, "DROP TRIGGER refuses")
        assert states(at) == ["refused"]


@pytest.mark.long
def test_the_account_says_what_the_journal_did_not_take_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("boat.flow.yaml").write_text(BOAT, encoding="utf-8")
    change(Path(os.environ["FLOWDSL_STATE"]), REFUSES)
    assert main(["run", "boat.flow.yaml", "--simulate", "--quiet"]) == 0
    err = capsys.readouterr().err
    assert (
        "did not take how 1 request ended: it stands there as in doubt, and may be billed; `--resend` would buy" in err
    )


REFUSES_ENDS = """CREATE TRIGGER refuses BEFORE UPDATE ON runs WHEN NEW.ended IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"""


def status(found: Shop) -> str:
    with Journal(found.state) as journal:
        (run,) = journal.runs.all()
        return run.status


def test_the_end_of_a_run_that_the_journal_did_not_take_is_written_when_it_is_closed(at: Shop) -> None:
    change(at.state, REFUSES_ENDS)
    with Journal(at.state) as journal:
        at.flow(BOAT).run(journal=journal)
        assert (len(journal.database.owed), status(at)) == (0, "killed")
        change(at.state, "DROP TRIGGER refuses")
    assert status(at) == "done"


def test_an_end_that_is_written_later_changes_nothing_that_was_decided_of_the_run_meanwhile(at: Shop) -> None:
    change(at.state, REFUSES_ENDS)
    with Journal(at.state) as journal:
        at.flow(BOAT).run(journal=journal)
        change(at.state, "DROP TRIGGER refuses")
        change(at.state, "UPDATE runs SET status = 'dropped'")
    assert status(at) == "dropped"
