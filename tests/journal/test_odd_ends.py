"""Runs that end in the middle of writing down what came, clocks that jump, and decisions that come late."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from journaled import BOAT, Shop, shop

from flowdsl.errors import RunError, UsageError
from flowdsl.events import Event, FlowFinished, StepFinished
from flowdsl.journal.errors import RequestHeld
from flowdsl.journal.journal import Journal
from flowdsl.journal.running import Running

FAIL = "- step: RAISE\n  message: not today\n"
AGAIN = """\
- step: TRY
  retry: {max: 1, delayMs: 0, paid: again}
  try:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: A paper boat
      size: 1024x1024
      quality: low
    - step: RAISE
      message: not good enough
"""


def change(at: Shop, statement: str) -> None:
    """Makes the journal what it would be after something that no test can wait for."""
    with Journal(at.state) as journal:
        journal.database.submit(lambda db: db.execute(statement)).result(30)


def as_killed_before_the_end(at: Shop) -> None:
    change(at, "UPDATE runs SET status = 'running', ended = NULL")
    change(at, "UPDATE ledger SET is_final = 0")


def test_a_refusal_of_which_the_run_did_not_end_any_more_is_asked_again(tmp_path: Path) -> None:
    with shop(tmp_path, faults=["moderation:1"]) as at:
        run = at.run(BOAT).result.run
        as_killed_before_the_end(at)
        assert at.run(BOAT, resume=run).code == "content-refused"  # what it was about to say
        assert at.bought == 1
        assert len(at.run(BOAT, resume=run).images) == 1
        assert at.bought == 2


def test_an_unknown_outcome_of_which_the_run_did_not_end_any_more_is_held(tmp_path: Path) -> None:
    with shop(tmp_path, faults=["reset_before_body:1"]) as at:
        run = at.run(BOAT.replace("quality: low", "quality: low\n  maxRetries: 0")).result.run
        assert at.rows()[0]["state"] == "unknown"
        as_killed_before_the_end(at)
        assert at.run(BOAT, resume=run).charge_possible
        assert isinstance(at.run(BOAT, resume=run), RequestHeld)
        assert at.bought == 1


def test_a_clock_that_jumps_back_mixes_up_no_equal_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(tmp_path) as at:
        now = [2e9]

        def backwards() -> float:
            now[0] -= 3600
            return now[0]

        monkeypatch.setattr("flowdsl.journal.door.time", SimpleNamespace(time=backwards))
        error = at.run(AGAIN + FAIL)
        assert at.bought == 2
        first = [image.path for image in error.result.made]
        again = at.run(AGAIN, resume=error.result.run)
        assert (at.bought, again.recovered) == (2, 2)
        assert [image.path for image in again.made] == first


def test_what_was_sent_again_is_not_held_any_more(tmp_path: Path) -> None:
    with shop(tmp_path, faults=["reset_before_body:1"]) as at:
        flow = BOAT.replace("quality: low", "quality: low\n  maxRetries: 0")
        run = at.run(flow).result.run
        with Journal(at.state) as journal:
            assert journal.runs.release(run) == 1
            assert journal.runs.hold(run) == 1
            assert journal.runs.release(run) == 1
        at.run(flow + FAIL, resume=run)
        with Journal(at.state) as journal:
            assert journal.runs.hold(run) == 0
        assert at.run(flow, resume=run).recovered == 1
        assert at.bought == 2


def test_a_run_is_resumed_by_one_at_a_time(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        run = at.run(BOAT + FAIL).result.run
        with Journal(at.state) as first, Journal(at.state) as second:
            assert first.running.take(run)
            with pytest.raises(UsageError, match="goes on in another process"):
                second.resuming(run)
            with pytest.raises(UsageError, match="goes on"):
                second.runs.release(run)
            assert second.runs.find(run).status == "running"
            assert second.runs.unfinished() is None
            first.let_go(run)
            assert second.runs.find(run).status == "failed"
            assert len(at.flow(BOAT).run(journal=second.resuming(run), run_id=run).images) == 1
        assert at.bought == 1


def test_a_run_that_is_killed_when_its_manifest_is_written_and_its_journal_is_not_lists_nothing_twice(
    tmp_path: Path,
) -> None:
    with shop(tmp_path) as at:
        run = at.run(BOAT + FAIL).result.run
        change(at, "UPDATE names SET is_listed = 0")
        with Journal(at.state) as journal:
            at.flow(BOAT).run(journal=journal.resuming(run), run_id=run)
        assert at.bought == 1
    assert len(json.loads((tmp_path / "pictures" / "manifest.json").read_text())["images"]) == 1


def test_pictures_that_the_manifest_did_not_take_are_listed_when_the_run_goes_on(tmp_path: Path) -> None:
    manifest = tmp_path / "pictures" / "manifest.json"
    with shop(tmp_path) as at:
        with patch("flowdsl.image.shelf.add_to_manifest", side_effect=OSError(28, "No space left on device")):
            run = at.run(BOAT + FAIL).result.run
        assert not manifest.exists()
        with Journal(at.state) as journal:
            at.flow(BOAT).run(journal=journal.resuming(run), run_id=run)
        assert at.bought == 1
    assert len(json.loads(manifest.read_text())["images"]) == 1


def test_who_asks_whether_a_run_goes_on_keeps_nobody_from_taking_it(tmp_path: Path) -> None:
    with Journal(tmp_path) as asking, Journal(tmp_path) as taking:
        taking.running.take("run")
        taking.running.let_go("run")
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                asking.running.goes_on("run")

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            for _ in range(300):
                assert taking.running.take("run")
                taking.running.let_go("run")
        finally:
            ended.set()
            thread.join()


def test_a_run_is_never_taken_twice_however_often_files_of_ended_ones_are_used_again(tmp_path: Path) -> None:
    held: dict[str, int] = {}
    twice: list[str] = []

    def take_all(number: int) -> None:
        running, chance = Running(tmp_path), Random(number)
        for _ in range(300):
            run = chance.choice("abc")
            if running.take(run):
                twice.extend([run] if held.setdefault(run, number) != number else [])
                time.sleep(0)
                del held[run]
                running.let_go(run)
        running.close()

    threads = [threading.Thread(target=take_all, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not twice
    assert not list((tmp_path / "running").iterdir())


def test_cleaning_up_removes_what_killed_processes_left(tmp_path: Path) -> None:
    with shop(tmp_path) as at:
        at.run(BOAT)
        left = at.state / "running"
        (left / "killed").touch()
        with Journal(at.state) as journal, Journal(at.state) as other:
            other.running.take("going on")
            assert journal.runs.collect(2e12) == 1
            assert [path.name for path in left.iterdir()] == ["going on"]
            other.running.let_go("going on")
        assert at.rows("SELECT state, cost_usd IS NULL AS unknown FROM ledger") == [{"state": "ok", "unknown": 0}]


def holding_the_file(at: Shop, released: list[threading.Timer]) -> Callable[[Event], None]:
    """A listener: while a run ends, another program holds the file of its journal for a moment."""

    def hear(event: Event) -> None:
        if isinstance(event, FlowFinished):
            other = sqlite3.connect(at.state / "journal.sqlite", isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            released.append(threading.Timer(0.3, other.close))
            released[-1].start()

    return hear


def test_a_run_that_has_ended_is_seen_to_have_failed_at_once(tmp_path: Path) -> None:
    timers: list[threading.Timer] = []
    with shop(tmp_path) as at, Journal(at.state) as journal:
        with pytest.raises(RunError) as failed:
            at.flow(BOAT + FAIL).run(journal=journal, on_event=holding_the_file(at, timers))
        assert failed.value.result is not None
        found = journal.runs.unfinished()
        assert (found and found.id, found and found.status) == (failed.value.result.run, "failed")
        timers[0].join()


def test_a_run_that_was_cancelled_is_seen_to_be_at_once(tmp_path: Path) -> None:
    timers: list[threading.Timer] = []
    with shop(tmp_path) as at, Journal(at.state) as journal:
        flow, hold = at.flow(BOAT + "- step: SLEEP\n  delay: 60000\n"), holding_the_file(at, timers)

        async def cancelled() -> None:
            bought = asyncio.Event()

            def hear(event: Event) -> None:
                hold(event)
                if isinstance(event, StepFinished):
                    bought.set()

            task = asyncio.create_task(flow.arun(journal=journal, on_event=hear))
            await bought.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        found = journal.runs.unfinished()
        assert (found and found.status, at.bought) == ("cancelled", 1)
        timers[0].join()
