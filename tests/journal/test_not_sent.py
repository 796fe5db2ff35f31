"""A request that only waits, for its turn, for a place or for the end of a pause, was not sent: when its run ends then,
also by kill -9, nobody has to decide whether it was billed."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from journaled import BOAT, Shop, shop

from flowdsl import Sending
from flowdsl.cli.simulated import StepMarks
from flowdsl.events import Event, RequestFinished
from flowdsl.journal.day_budget import DayBudget, Most
from flowdsl.journal.door import JournalDoor
from flowdsl.journal.errors import JournalError
from flowdsl.journal.journal import Journal
from flowdsl_steps.image.simulator import Fault

REFUSES = """CREATE TRIGGER refuses BEFORE INSERT ON ledger
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"""
THREE = "- step: FOR\n  var: i\n  items: [1, 2, 3]\n  concurrency: 3\n  do:\n" + "".join(
    f"    {line}\n" for line in BOAT.replace("boat", "boat {{ flowContext.i }}").splitlines()
)
BATCH = f"""
import asyncio, sys, flowdsl
from pathlib import Path
from flowdsl import Journal, Limits, Environment, Storage
folder, url, key = Path(sys.argv[1]), *sys.argv[2:]
service = {{"endpoint": url, "apiKey": key, "rateLimit": 60}}
environment = Environment(
    services={{"OPENAI_IMAGE_GENERATION": service}}, storage=Storage(images=folder / "pictures"),
    limits=Limits(private_addresses=True),
)
flow = environment.load({BOAT!r})
async def main():
    with Journal(folder / ".flowdsl") as journal:
        async for each in flowdsl.batch(flow, [{{}}] * 6, journal=journal, batch_id="boats", concurrency=6):
            print(each.status, flush=True)
asyncio.run(main())
"""


def outcomes(
    at: Shop, text: str, is_time: Callable[[], bool], *, cache: Any = "off", door: Any = lambda flow: None
) -> list[str]:
    """How the requests of a run ended that is cancelled when it is time. None raises but what cancelled it."""
    told: list[Event] = []
    raised: list[BaseException] = []
    perform = JournalDoor.perform

    async def performed(self: JournalDoor, *given: Any) -> Any:
        try:
            return await perform(self, *given)
        except BaseException as error:
            raised.append(error)
            raise

    async def cancelled() -> None:
        flow = at.flow(text)
        running = asyncio.ensure_future(flow.arun(journal=journal, on_event=told.append, effects=door(flow)))
        while not is_time() or sum(isinstance(each, RequestFinished) for each in told) < states(at).count("ok"):
            await asyncio.sleep(0.005)
            assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with Journal(at.state, cache=cache) as journal:
        journal.budget = DayBudget(journal.database, Most(100.0, "flowdsl.toml"))
        with patch.object(JournalDoor, "perform", performed):
            asyncio.run(cancelled())
    assert [error for error in raised if not isinstance(error, asyncio.CancelledError)] == []
    return sorted(each.outcome for each in told if isinstance(each, RequestFinished))


def states(at: Shop) -> list[str]:
    return [row["state"] for row in at.rows()]


def spent(at: Shop) -> float:
    return float(at.rows("SELECT sum(usd) AS usd FROM spending")[0]["usd"])


@pytest.mark.parametrize("setting", [{"rateLimit": 1}, pytest.param({"imageRateLimit": 1}, marks=pytest.mark.long)])
def test_what_waits_for_its_turn_is_not_in_doubt(tmp_path: Path, setting: dict[str, Any]) -> None:
    with shop(tmp_path, plain=True) as at:
        at.service = setting
        assert outcomes(at, THREE, lambda: states(at) == ["ok"]) == ["done", "refused", "refused"]
        assert (states(at), at.bought) == (["ok"], 1)
        assert spent(at) == pytest.approx(at.rows("SELECT cost_usd FROM ledger")[0]["cost_usd"])
        at.service = {}
        result = at.run(THREE, resume=at.rows("SELECT id FROM runs")[0]["id"])
        assert (len(result.made), at.bought) == (3, 3)


@pytest.mark.parametrize("is_of_all", [False, True])
def test_what_waits_for_a_place_is_not_in_doubt(tmp_path: Path, is_of_all: bool) -> None:
    with shop(tmp_path, plain=True, faults=[Fault("hang", times=9)]) as at:
        at.service = {} if is_of_all else {"concurrency": 1}
        at.limits = {"concurrency": 1} if is_of_all else {}
        assert outcomes(at, THREE, lambda: at.bought == 1) == ["refused", "refused", "unknown"]
        assert states(at) == ["unknown"]


def test_what_waits_for_an_equal_request_is_not_in_doubt(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True, faults=[Fault("hang", times=9)]) as at:
        text = THREE.replace("boat {{ flowContext.i }}", "boat")
        assert outcomes(at, text, lambda: at.bought == 1, cache="run") == ["refused", "refused", "unknown"]
        assert states(at) == ["unknown"]


def test_what_waits_for_a_connection_is_not_in_doubt(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True) as at, socket.create_server(("127.0.0.1", 0)) as silent:
        at.service = {"endpoint": f"https://127.0.0.1:{silent.getsockname()[1]}/v1"}  # says nothing of TLS
        assert outcomes(at, BOAT, lambda: states(at) == ["started"]) == ["refused"]
        assert (states(at), spent(at)) == ([], 0.0)


def test_what_was_refused_and_waits_to_be_sent_again_is_not_in_doubt(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True, faults=[Fault("rate_limit", times=9, retry_after="30")]) as at:
        assert outcomes(at, BOAT, lambda: at.bought == 1 and states(at) == []) == ["refused"]
        assert (states(at), spent(at)) == ([], 0.0)


FORGETS_NOTHING = """CREATE TRIGGER forgets_nothing BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"""


def test_what_was_refused_and_the_journal_did_not_take_that_is_not_in_doubt_when_it_takes_it(tmp_path: Path) -> None:
    async def cancelled(at: Shop, journal: Journal) -> None:
        running = asyncio.ensure_future(at.flow(BOAT).arun(journal=journal))
        while not len(journal.database.owed):
            await asyncio.sleep(0.005)
            assert not running.done()
        assert states(at) == ["started"]
        await journal.database.write(lambda db: db.execute("DROP TRIGGER forgets_nothing") and None)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with shop(tmp_path, plain=True, faults=[Fault("rate_limit", times=9, retry_after="30")]) as at:
        with Journal(at.state) as journal:
            journal.database.submit(lambda db: db.execute(FORGETS_NOTHING)).result()
            asyncio.run(cancelled(at, journal))
        assert states(at) == []


def test_a_refusal_that_is_written_late_forgets_no_request_that_has_begun_again(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True, faults=[Fault("rate_limit", retry_after="0"), Fault("hang")]) as at:
        with Journal(at.state) as journal:
            journal.database.submit(lambda db: db.execute(FORGETS_NOTHING)).result()
        assert outcomes(at, BOAT, lambda: at.bought == 2) == ["unknown"]
        with Journal(at.state) as journal:
            journal.database.submit(lambda db: db.execute("DROP TRIGGER forgets_nothing")).result()
        assert states(at) == ["unknown"]


def test_what_waits_behind_a_door_that_only_marks_requests_is_not_in_doubt(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True, faults=[Fault("rate_limit", times=9, retry_after="30")]) as at:
        assert outcomes(at, BOAT, lambda: at.bought == 1 and states(at) == [], door=StepMarks) == ["refused"]


def test_what_goes_through_a_door_that_may_send_it_is_in_doubt(tmp_path: Path) -> None:
    class Own(StepMarks):
        passes = None  # type: ignore[assignment]

    with shop(tmp_path, plain=True, faults=[Fault("rate_limit", times=9, retry_after="30")]) as at:
        assert outcomes(at, BOAT, lambda: at.bought == 1, door=Own) == ["unknown"]
        assert states(at) == ["unknown"]


@pytest.mark.long
def test_what_may_be_billed_and_waits_to_be_sent_again_stays_in_doubt(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True, faults=[Fault("reset_before_body", times=9)]) as at:
        at.service = {"onUnknown": "resend"}
        text = BOAT + "  maxRetries: 9\n"
        assert outcomes(at, text, lambda: at.bought == 2) == ["unknown"]
        assert states(at) == ["unknown"]


def test_what_is_under_way_is_in_doubt(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True, faults=[Fault("hang")]) as at:
        assert outcomes(at, BOAT, lambda: at.bought == 1) == ["unknown"]
        assert states(at) == ["unknown"]


def test_a_journal_that_does_not_take_the_beginning_leaves_nothing_in_doubt(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True) as at:
        with Journal(at.state) as journal:
            journal.database.submit(lambda db: db.execute(REFUSES)).result()
        error = at.run(BOAT)
        assert isinstance(error, JournalError)
        assert not error.charge_possible
        assert (states(at), at.bought, error.result.in_doubt) == ([], 0, ())


@pytest.mark.long
def test_of_a_batch_that_is_killed_only_what_was_sent_is_in_doubt(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True, faults=[Fault("none"), Fault("hang", times=9)]) as at:
        simulator = at.simulator
        command = [sys.executable, "-c", BATCH, str(tmp_path), simulator.openai_base_url, simulator.key]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "done\n"
            while at.bought < 2:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert states(at) == ["ok", "started"]


@pytest.mark.long
def test_a_request_that_is_over_does_not_wait_for_the_collector_of_garbage(tmp_path: Path) -> None:
    with shop(tmp_path, plain=True) as at:
        gc.collect()
        gc.disable()
        try:
            assert len(at.run(BOAT).made) == 1
            assert [each for each in gc.get_objects() if isinstance(each, Sending)] == []
        finally:
            gc.enable()
