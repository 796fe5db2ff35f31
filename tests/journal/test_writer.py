"""The thread that writes a journal: whoever waits for it may give up, and one refusal concerns nobody else."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from flowdsl.journal.database import Database
from flowdsl.journal.errors import JournalError


def insert(number: int) -> str:
    return f"INSERT INTO names (run, original, file) VALUES ('r', '{number}', '{number}')"


def test_a_caller_that_is_cancelled_ends_no_writing(tmp_path: Path) -> None:
    entered, may_go = threading.Event(), threading.Event()

    def slowly(db: sqlite3.Connection) -> None:
        entered.set()
        assert may_go.wait(30)
        db.execute(insert(1))

    async def main() -> int:
        with Database(tmp_path) as database:
            waiting = asyncio.ensure_future(database.write(slowly))
            await asyncio.to_thread(entered.wait)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            may_go.set()
            await asyncio.wait_for(database.write(lambda db: db.execute(insert(2))), 30)
            return len(database.read("SELECT * FROM names"))

    assert asyncio.run(main()) == 2


def test_what_one_is_refused_for_concerns_nobody_else_in_its_group(tmp_path: Path) -> None:
    may_go = threading.Event()
    with Database(tmp_path) as database:
        database.submit(lambda _: may_go.wait(30))
        good = [database.submit(lambda db, number=number: db.execute(insert(number))) for number in range(3)]
        bad = database.submit(lambda db: db.execute("INSERT INTO nothing VALUES (1)"))
        odd = database.submit(lambda db: db.execute(insert(8)), files=[str(tmp_path / f"{'odd' * 100}.png")])
        good.append(database.submit(lambda db: db.execute(insert(9))))
        may_go.set()
        for future in good:
            future.result(30)
        with pytest.raises(JournalError, match="nothing"):
            bad.result(30)
        with pytest.raises(JournalError, match="File name too long"):
            odd.result(30)
        assert len(database.read("SELECT * FROM names")) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process holds")
def test_what_is_read_when_it_is_closed_leaves_nothing_open(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.submit(lambda _: None).result()
        assert [row[0] for row in database.read("SELECT count(*) FROM runs")] == [0]
    assert [row[0] for row in database.read("SELECT count(*) FROM runs")] == [0]
    held = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert not [each for each in held if each.startswith(str(tmp_path))]
