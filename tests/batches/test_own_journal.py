"""`flowdsl.batch` with a journal of the host's own, which knows runs alone: that of docs/hosts.md."""

from __future__ import annotations

import asyncio
import runpy
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest
from test_batch_of_host import flow, outcomes

import flowdsl
from flowdsl_steps.image.simulator import Simulator

DOCS = Path(__file__).parents[2] / "docs" / "examples"
OwnJournal = runpy.run_path(str(DOCS / "own_journal.py"))["OwnJournal"]
RECORDS = [{"name": name} for name in ("Ada", "Bo", "Cy", "Di", "Ed")]


@pytest.fixture
def journal() -> Iterator[Any]:
    own = OwnJournal(":memory:")
    with closing(own.db):
        yield own


def statuses(*given: Any, **options: Any) -> list[str]:
    return [outcome.status for outcome in outcomes(*given, batch_id="cards", **options)]


def sent(simulator: Simulator) -> Counter[str]:
    return Counter(request.json["prompt"] for request in simulator.requests if isinstance(request.json, dict))


def test_what_was_broken_off_goes_on_and_buys_nothing_twice(tmp_path: Path, journal: Any) -> None:
    async def first_one(flow: flowdsl.Flow) -> int:
        coming = flowdsl.batch(flow, RECORDS, journal=journal, batch_id="cards", concurrency=2)
        async with aclosing(coming) as some:
            return (await anext(some)).number

    with Simulator(plain=True) as simulator:
        first = asyncio.run(first_one(flow(simulator, tmp_path)))
        before = sent(simulator)
        again = outcomes(flow(simulator, tmp_path), RECORDS, journal=journal, batch_id="cards")
        assert max(sent(simulator).values()) == 1
        assert before < sent(simulator)
    assert again[first].result is not None
    assert again[first].result.recovered == 1
    assert {outcome.status for outcome in again if f"A card for {RECORDS[outcome.number]['name']}" not in before} == {
        "done"
    }
    assert sum(outcome.status == "held" for outcome in again) <= 1  # the other one, where it was on its way


def test_a_record_whose_batch_was_cancelled_while_it_paid_is_held(tmp_path: Path, journal: Any) -> None:
    async def cancelled(flow: flowdsl.Flow, simulator: Simulator) -> None:
        async def whole() -> None:
            async for _ in flowdsl.batch(flow, RECORDS[:1], journal=journal, batch_id="cards"):
                pass

        running = asyncio.ensure_future(whole())
        while not simulator.request_count:  # noqa: ASYNC110  the simulator lives in another thread
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with Simulator(plain=True, latency_s=30.0) as simulator:
        asyncio.run(cancelled(flow(simulator, tmp_path), simulator))
    with Simulator(plain=True) as simulator:
        assert statuses(flow(simulator, tmp_path), RECORDS[:2], journal=journal) == ["held", "done"]
        assert sent(simulator) == {"A card for Bo": 1}


@pytest.mark.long
def test_what_was_killed_while_it_paid_is_held_and_the_rest_goes_on(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
sys.path += {[str(Path(__file__).parent), str(DOCS)]!r}
from test_batch_of_host import flow, flowdsl
from own_journal import OwnJournal
class Service: openai_base_url, key = sys.argv[1:]
async def main():
    coming = flowdsl.batch(flow(Service, Path({str(tmp_path)!r})), {RECORDS!r}, journal=OwnJournal("own.sqlite"),
        batch_id="cards", concurrency=2)
    async for _ in coming: pass
asyncio.run(main())
"""
    with Simulator(plain=True, faults=["hang:1"]) as simulator:
        command = [sys.executable, "-c", program, simulator.openai_base_url, simulator.key]
        with subprocess.Popen(command, cwd=tmp_path) as process:
            while simulator.request_count < 3:
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
        before = sent(simulator)
    journal = OwnJournal(tmp_path / "own.sqlite")
    with Simulator(plain=True) as simulator, closing(journal.db):
        again = statuses(flow(simulator, tmp_path), RECORDS, journal=journal)
        assert set(again) == {"held", "done"}
        assert again.count("held") <= 2  # the one that got no answer, and one that was on its way
        assert not sent(simulator).keys() & before.keys()
        assert len(sent(simulator)) + len(before) == len(RECORDS)


def test_records_share_the_limits_with_what_they_had_spent_before(tmp_path: Path, journal: Any) -> None:
    with Simulator(plain=True) as simulator:
        cards = flow(simulator, tmp_path)
        assert statuses(cards, RECORDS, journal=journal, concurrency=1, max_requests=2) == ["done", "done", "stopped"]
        again = statuses(cards, RECORDS, journal=journal, concurrency=1, max_requests=3)
        assert again == ["done", "done", "done", "stopped"]
        assert simulator.request_count == 3
        less = statuses(cards, RECORDS, journal=journal, concurrency=1, max_usd=0.001)
        assert less == ["done", "done", "done", "stopped"]
        assert simulator.request_count == 3


def test_batches_are_kept_apart(tmp_path: Path, journal: Any) -> None:
    with Simulator(plain=True) as simulator:
        for batch in ("one", "two"):
            outcomes(flow(simulator, tmp_path), RECORDS[:1], journal=journal, batch_id=batch)
        assert simulator.request_count == 2


def test_a_journal_that_lets_no_record_go_on_says_so_of_each(tmp_path: Path, journal: Any) -> None:
    class Strict:
        def door(self, began: Any, inner: Any) -> Any:
            return journal.door(began._replace(batch=None, record=None), inner)

    with Simulator(plain=True) as simulator:
        for status in ("done", "failed"):
            (found,) = outcomes(flow(simulator, tmp_path), RECORDS[:1], journal=Strict(), batch_id="cards")
            assert found.status == status
        assert "the run cards.0 was there before" in str(found.error)
        assert simulator.request_count == 1


def test_a_door_that_goes_on_with_requests_needs_a_journal_of_ours(tmp_path: Path, journal: Any) -> None:
    class Later:
        async def perform(self, effect: Any, act: Any) -> Any:
            raise AssertionError("nothing is sent")

        def perform_now(self, effect: Any, act: Any) -> Any:
            return act()

        def order(self, effect: Any) -> str:
            return "later"

        def share(self, effect: Any) -> float:
            return 0.5

    with Simulator(plain=True) as simulator, pytest.raises(flowdsl.UsageError) as caught:
        outcomes(flow(simulator, tmp_path), RECORDS, journal=journal, effects=Later())
    assert str(caught.value) == (
        "Later goes on with requests that were sent before, as a vendor's batch does: in a batch that needs a "
        "flowdsl.Journal, and not OwnJournal"
    )
