"""What a process that is gone had set aside and never sent can be spent again; what it may have sent counts, once."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from journaled import BOAT, Shop, shop

from flowdsl import Sending
from flowdsl.cli.simulated import StepMarks
from flowdsl.engine.effects import Effects
from flowdsl.environment.flow import Flow
from flowdsl.events import Event, RequestFinished, RequestStarted
from flowdsl.image import part_file
from flowdsl.journal.allowance import OwnBudget
from flowdsl.journal.database import Database
from flowdsl.journal.day_budget import DayBudget, Most
from flowdsl.journal.journal import Journal
from flowdsl.journal.reserved import forget, free, start
from flowdsl.journal.tables import STEPS
from flowdsl.limits import Budget
from flowdsl.testing.conformance.budgets import takes
from flowdsl_steps.image.simulator import Fault

pytestmark = pytest.mark.usefixtures("noon")  # what may be spent in a day is counted
DAY_S = 86_400
KINDS = ["all runs", "a service", "a token"]
ROW = (b"id", "run", "place", 0, b"digest", "S", "flow[0]", "S", None, None, "{}", 0.5, None, 0, 1.0)
SIX = "- step: FOR\n  var: i\n  start: 1\n  end: 6\n  concurrency: 6\n  do:\n" + "".join(
    f"    {line}\n" for line in BOAT.replace("boat", "boat {{ flowContext.i }}").splitlines()
)
SPENDER = """
import asyncio, pathlib, sys, time
sys.path.insert(0, {tests!r})
from test_reserved import Database, Sending, budget_of, reserve

database = Database(pathlib.Path({folder!r}))
asyncio.run(reserve(budget_of({kind!r}, database), Sending(), 0.4))
print("taken", flush=True)
time.sleep(600)
"""


def budget_of(kind: str, database: Database) -> Budget:
    most = Most(1.0, "flowdsl.toml")
    if kind == "a token":
        return OwnBudget(database, "me", 1.0, None, "raise it", clock=lambda: DAY_S)
    whole = most if kind == "all runs" else None
    return DayBudget(database, whole, {} if whole else {"S": most}, clock=lambda: DAY_S)


async def reserve(budget: Budget, sending: Sending, usd: float) -> object:
    with sending.reserving():
        return await budget.reserve(usd, "S")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sending() -> Sending:
    return Sending()


@pytest.fixture
def gone(tmp_path: Path, kind: str, sending: Sending) -> Iterator[Database]:
    """A file that somebody closes who has set half of what may be spent aside, and not given it back."""
    with Database(tmp_path) as database:
        asyncio.run(reserve(budget_of(kind, database), sending, 0.5))
        yield database


def is_free(folder: Path, kind: str) -> bool:
    with Database(folder) as database:
        return takes(budget_of(kind, database), 0.6)


def test_what_waits_counts_as_long_as_who_set_it_aside_is_there(tmp_path: Path, kind: str, gone: Database) -> None:
    assert not is_free(tmp_path, kind)
    gone.close()
    assert is_free(tmp_path, kind)
    assert not is_free(tmp_path, kind)  # once


def test_what_has_begun_counts_when_who_set_it_aside_is_gone(
    tmp_path: Path, kind: str, gone: Database, sending: Sending
) -> None:
    gone.submit(lambda db: start(db, ROW, sending)).result()
    gone.close()
    assert not is_free(tmp_path, kind)


def test_what_was_refused_and_waits_to_be_sent_again_is_free_when_who_set_it_aside_is_gone(
    tmp_path: Path, kind: str, gone: Database, sending: Sending
) -> None:
    gone.submit(lambda db: start(db, ROW, sending)).result()
    gone.submit(lambda db: forget(db, (b"id", 1.0), sending)).result()
    gone.close()
    assert is_free(tmp_path, kind)


def test_what_has_begun_again_counts_when_the_refusal_before_is_written_late(
    tmp_path: Path, kind: str, gone: Database, sending: Sending
) -> None:
    gone.submit(lambda db: start(db, ROW, sending)).result()
    gone.submit(lambda db: start(db, (*ROW[:-1], 2.0), sending)).result()
    gone.submit(lambda db: forget(db, (b"id", 1.0), sending)).result()
    gone.close()
    assert not is_free(tmp_path, kind)


def test_what_was_given_back_is_free_once_where_it_is_written_late_that_it_was_not_sent(
    tmp_path: Path, kind: str, gone: Database, sending: Sending
) -> None:
    gone.submit(lambda db: start(db, ROW, sending)).result()
    sending.reserved[0].release()
    asyncio.run(budget_of(kind, gone).reserve(0.5, "S"))
    gone.submit(lambda db: forget(db, (b"id", 1.0), sending)).result()
    gone.close()
    assert not is_free(tmp_path, kind)


def test_a_beginning_that_the_file_did_not_take_leaves_it_waiting(
    tmp_path: Path, kind: str, gone: Database, sending: Sending
) -> None:
    def failing(db: sqlite3.Connection) -> None:
        start(db, ROW, sending)
        raise sqlite3.OperationalError("database or disk is full")

    assert gone.submit(failing).exception() is not None
    gone.close()
    assert is_free(tmp_path, kind)


def test_what_it_cost_counts_when_who_paid_it_is_gone(
    tmp_path: Path, kind: str, gone: Database, sending: Sending
) -> None:
    gone.submit(lambda db: start(db, ROW, sending)).result()
    sending.reserved[0].settle(0.3)
    gone.close()
    with Database(tmp_path) as database:
        assert not takes(budget_of(kind, database), 0.71)
        assert takes(budget_of(kind, database), 0.7)


def test_what_was_spent_without_a_beginning_counts(tmp_path: Path, kind: str, gone: Database, sending: Sending) -> None:
    sending.reserved[0].settle(None)
    gone.close()
    assert not is_free(tmp_path, kind)


def test_who_says_nothing_of_its_beginning_may_have_sent_it(tmp_path: Path, kind: str) -> None:
    with Database(tmp_path) as database:
        asyncio.run(budget_of(kind, database).reserve(0.5, "S"))
    assert not is_free(tmp_path, kind)


def test_where_there_are_no_locks_what_a_killed_process_had_set_aside_stays(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_file, "fcntl", None)
    database = Database(tmp_path)  # open as long as this is: whether it is there cannot be seen
    asyncio.run(reserve(budget_of(kind, database), Sending(), 0.5))
    assert not is_free(tmp_path, kind)
    database.close()
    assert is_free(tmp_path, kind)


def test_of_somebody_who_gives_up_nothing_is_kept(tmp_path: Path, kind: str, sending: Sending) -> None:
    async def given_up(database: Database) -> None:
        waiting = asyncio.ensure_future(reserve(budget_of(kind, database), sending, 0.5))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with Database(tmp_path) as database:
        asyncio.run(given_up(database))
        database.submit(lambda db: None).result()
        assert takes(budget_of(kind, database), 1.0)
        assert database.read("SELECT * FROM reserved") == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_fork_that_closes_the_file_frees_nothing_of_its_parent(tmp_path: Path, kind: str, gone: Database) -> None:
    child = os.fork()
    if not child:
        gone.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not is_free(tmp_path, kind)
    gone.close()
    assert is_free(tmp_path, kind)


def freed_by_mistake(folder: Path, database: Database) -> None:
    """Has somebody free what is set aside, who sees no lock of those that are there."""
    for each in (folder / "reserving").iterdir():
        each.unlink()
    with Database(folder) as other:
        other.submit(lambda db: free(db, other.owners)).result()
    assert database.read("SELECT * FROM reserved") == []


def test_what_was_freed_while_it_waited_counts_when_it_begins(
    tmp_path: Path, kind: str, gone: Database, sending: Sending
) -> None:
    freed_by_mistake(tmp_path, gone)
    gone.submit(lambda db: start(db, ROW, sending)).result()
    assert not is_free(tmp_path, kind)
    sending.reserved[0].settle(0.3)
    assert takes(budget_of(kind, gone), 0.7)
    assert not takes(budget_of(kind, gone), 0.1)


def test_what_was_freed_while_it_waited_is_not_given_back_a_second_time(
    tmp_path: Path, kind: str, gone: Database, sending: Sending
) -> None:
    freed_by_mistake(tmp_path, gone)
    sending.reserved[0].release()
    assert takes(budget_of(kind, gone), 1.0)
    assert not takes(budget_of(kind, gone), 0.1)


def test_what_stands_in_an_older_journal_counts(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        for step in STEPS[:-1]:
            connection.executescript(step)
        connection.execute("INSERT INTO spending (day, usd) VALUES ('1970-01-02', 0.5)")
        connection.execute(f"PRAGMA user_version = {len(STEPS) - 1}")
        connection.commit()
    assert not is_free(tmp_path, "all runs")


def reserved(at: Shop) -> int:
    return len(at.rows("SELECT * FROM reserved"))


def broken_off(at: Shop, is_time: Callable[[list[Event]], bool], door: Callable[[Flow], Effects | None]) -> None:
    """A run of six that asks one at a time, and is cancelled when it is time."""

    async def run(journal: Journal) -> None:
        told: list[Event] = []
        flow = at.flow(SIX)
        running = asyncio.ensure_future(flow.arun(journal=journal, on_event=told.append, effects=door(flow)))
        while not is_time(told):
            await asyncio.sleep(0.005)
            assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    at.service = {"rateLimit": 1}
    with Journal(at.state) as journal:
        journal.budget = DayBudget(journal.database, Most(100.0, "flowdsl.toml"))
        asyncio.run(run(journal))


@pytest.mark.parametrize("door", [lambda flow: None, StepMarks], ids=["no door", "a door that marks requests"])
def test_what_waits_for_its_turn_is_known_by_who_waits(tmp_path: Path, door: Callable[[Flow], Effects | None]) -> None:
    def is_time(told: list[Event]) -> bool:
        return any(isinstance(each, RequestFinished) for each in told) and reserved(at) == 5

    with shop(tmp_path, plain=True) as at:
        broken_off(at, is_time, door)
        assert (reserved(at), list((at.state / "reserving").iterdir())) == (0, [])
        (row,) = at.rows()
        assert spent_today(at) == pytest.approx(row["cost_usd"])


def test_what_is_cancelled_before_its_first_turn_is_free_again_and_told_as_over(tmp_path: Path) -> None:
    told: list[Event] = []

    async def run(journal: Journal) -> None:
        def hear(event: Event) -> None:
            told.append(event)
            if isinstance(event, RequestStarted):
                running.cancel()

        running = asyncio.ensure_future(at.flow(BOAT).arun(journal=journal, on_event=hear))
        with pytest.raises(asyncio.CancelledError):
            await running
        journal.database.submit(lambda db: None).result()
        assert (reserved(at), spent_today(at)) == (0, 0.0)

    with shop(tmp_path, plain=True) as at, Journal(at.state) as journal:
        journal.budget = DayBudget(journal.database, Most(100.0, "flowdsl.toml"))
        asyncio.run(run(journal))
    assert [each.outcome for each in told if isinstance(each, RequestFinished)] == ["refused"]
    assert at.bought == 0


def test_what_somebody_else_may_send_has_begun(tmp_path: Path) -> None:
    class Own(StepMarks):
        passes = None  # type: ignore[assignment]

    with shop(tmp_path, plain=True) as at:
        broken_off(at, lambda told: len(at.rows()) == 6 and not reserved(at), Own)


@pytest.mark.long
def test_what_a_killed_process_had_set_aside_and_not_sent_can_be_spent(tmp_path: Path, kind: str) -> None:
    program = SPENDER.format(tests=str(Path(__file__).parent), folder=str(tmp_path), kind=kind)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        with Database(tmp_path) as database:
            assert not takes(budget_of(kind, database), 0.7)
        process.kill()
    with Database(tmp_path) as database:
        asyncio.run(reserve(budget_of(kind, database), Sending(), 1.0))
        assert len(list((tmp_path / "reserving").iterdir())) == 1  # what the other one has left is removed


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    ["max_usd_per_day = {}", "[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATION = {}", "max_usd = {}"],
    ids=["a day", "a service", "a run"],
)
@pytest.mark.parametrize(("limit", "sent"), [("rateLimit = 1", ["ok"]), ("concurrency = 1", ["ok", "started"])])
def test_a_run_that_was_killed_while_requests_waited_goes_on_within_what_may_be_spent(
    tmp_path: Path, settings: str, limit: str, sent: list[str]
) -> None:
    def settle(usd: float, more: str = "") -> None:
        entry = "[services.OPENAI_IMAGE_GENERATION]\nprices = 0.05\n"
        (tmp_path / "flowdsl.toml").write_text(f"{settings.format(usd)}\n{entry}{more}\n")

    def resumed() -> subprocess.CompletedProcess[str]:
        run = at.rows("SELECT id FROM runs")[0]["id"]
        again = [*command, "resume", run, "--yes", "--quiet", "--resend"]
        return subprocess.run(again, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    (tmp_path / "six.flow.yaml").write_text(SIX)
    command = [sys.executable, "-m", "flowdsl.cli"]
    with shop(tmp_path, plain=True, faults=[Fault("none"), Fault("hang")] if len(sent) > 1 else []) as at:
        names = {"OPENAI_BASE_URL": at.simulator.openai_base_url, "OPENAI_API_KEY": at.simulator.key}
        environ = {**os.environ, **names, "FLOWDSL_STATE": str(at.state)}
        settle(0.3, limit)
        with subprocess.Popen([*command, "run", "six.flow.yaml", "--quiet"], cwd=tmp_path, env=environ) as process:
            while not at.state.exists() or ([each["state"] for each in at.rows()], at.bought) != (sent, len(sent)):
                time.sleep(0.02)
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        needed = (len(sent) + 5) * 0.05  # what may have been sent, and is sent again, may be billed twice
        settle(needed - 0.001)
        found = resumed()
        assert (found.returncode, "[budget-spent]" in found.stderr) == (4, True), found.stderr
        settle(needed)
        found = resumed()
        assert (found.returncode, at.bought) == (0, len(sent) + 5), found.stderr


def spent_today(at: Shop) -> float:
    return sum(float(row["usd"]) for row in at.rows("SELECT usd FROM spending"))
