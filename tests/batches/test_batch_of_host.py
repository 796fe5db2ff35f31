"""`flowdsl.batch`: a flow over the records of a host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Journal
from flowdsl.batches.running import Outcome, Stop
from flowdsl_steps.image.simulator import Simulator

FLOW = """\
inputs:
  name: {type: string}
  fails: {type: boolean, default: false}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "A card for {{ inputs.name }}"
    size: 1024x1024
    quality: low
  - step: IF
    condition: "{{ inputs.fails }}"
    then: [{step: RAISE, message: no}]
"""


def flow(simulator: Simulator, folder: Path) -> flowdsl.Flow:
    services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
    storage = flowdsl.Storage(images=folder / "pictures")
    return flowdsl.Environment(services=services, storage=storage).load(FLOW)


def outcomes(flow: flowdsl.Flow, records: Any, **options: Any) -> list[Outcome]:
    async def all_of_them() -> list[Outcome]:
        return [outcome async for outcome in flowdsl.batch(flow, records, **options)]

    return sorted(asyncio.run(all_of_them()), key=lambda outcome: outcome.number)


def test_one_that_fails_stops_no_other_and_nothing_is_bought_twice(tmp_path: Path) -> None:
    records = [{"name": "a"}, {"name": "b", "fails": True}, {"nme": "c"}, {"name": "d"}]
    with Simulator(plain=True) as simulator, Journal(tmp_path / "state") as journal:
        found = outcomes(flow(simulator, tmp_path), records, journal=journal, batch_id="cards")
        assert [outcome.status for outcome in found] == ["done", "failed", "failed", "done"]
        assert [outcome.error.code for outcome in found if outcome.error] == ["raised", "undefined-input"]
        assert simulator.request_count == 3
        records[1].pop("fails")
        again = outcomes(flow(simulator, tmp_path), records, journal=journal, batch_id="cards")
        assert [outcome.status for outcome in again] == ["done", "done", "failed", "done"]
        assert [outcome.result.recovered for outcome in again if outcome.result] == [1, 1, 1]
        assert simulator.request_count == 3


def test_records_share_the_money(tmp_path: Path) -> None:
    records = [{"name": str(number)} for number in range(20)]
    with Simulator(plain=True) as simulator, Journal(tmp_path / "state") as journal:
        found = outcomes(flow(simulator, tmp_path), records, journal=journal, concurrency=5, max_requests=7)
        assert simulator.request_count == 7
    assert sum(outcome.status == "done" for outcome in found) == 7
    assert {outcome.status for outcome in found} == {"done", "stopped"}


def test_records_are_taken_when_there_is_room_for_them(tmp_path: Path) -> None:
    taken = 0

    def records() -> Iterator[dict[str, str]]:
        nonlocal taken
        for number in range(1000):
            taken = number + 1
            yield {"name": str(number)}

    async def first_ones(flow: flowdsl.Flow) -> None:
        stop = Stop()
        async for outcome in flowdsl.batch(flow, records(), concurrency=3, stop=stop):
            if outcome.number == 5:
                stop()

    with Simulator(plain=True) as simulator:
        asyncio.run(first_ones(flow(simulator, tmp_path)))
        assert taken <= 5 + 1 + 3 * 3
        assert simulator.request_count == taken


def test_a_source_of_records_that_fails_ends_the_batch_with_its_error(tmp_path: Path) -> None:
    def records() -> Iterator[dict[str, str]]:
        yield {"name": "a"}
        raise ZeroDivisionError("no more records")

    with Simulator(plain=True) as simulator:
        try:
            outcomes(flow(simulator, tmp_path), records())
        except ZeroDivisionError as error:
            assert str(error) == "no more records"
        else:
            raise AssertionError("the failure of the records is told")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"flow": "- step: SET\n  text: a\n"}, "flow takes a flow that is loaded, such as flowdsl.load(…), not str"),
        ({"journal": "state"}, "journal takes flowdsl.Journal(FOLDER), or an object with the method `door`, not str"),
        ({"journal": flowdsl.Journal}, "not the class Journal"),
        ({"batch_id": "my batch"}, "batch_id takes 1 to 100 letters, digits, `.`, `_` and `-`, not 'my batch'"),
        ({"records": "people.csv"}, "such as csv.DictReader(open('people.csv')), not the text"),
        ({"records": Path("people.csv")}, "such as csv.DictReader(open('people.csv')), not the path"),
        ({"records": {"name": ["Ada"]}}, "records takes a list, or what gives dicts one by one, not dict"),
        ({"records": None}, "records takes a list, or what gives dicts one by one, not NoneType"),
        ({"concurrency": "4"}, "concurrency takes a number from 1 to 100,000, not '4'"),
        ({"concurrency": 10**9}, "concurrency takes a number from 1 to 100,000, not 1000000000"),
        ({"concurrency": True}, "concurrency takes a number from 1 to 100,000, not True"),
        ({"max_usd": "1.00"}, "max_usd takes a number that is not below 0, not '1.00'"),
        ({"limits": {"max_usd": 1}}, "limits takes flowdsl.Limits(…), not dict"),
        ({"stop": True}, "stop takes flowdsl.Stop(), not bool"),
    ],
    ids=[
        "a text for a flow",
        "a folder for a journal",
        "a class for a journal",
        "a batch with a space",
        "a file name",
        "a path",
        "columns",
        "no records",
        "a text for a number",
        "more than memory holds",
        "a truth for a number",
        "a text for money",
        "a dict of limits",
        "a stop that is said",
    ],
)
def test_what_cannot_be_given_to_a_batch_is_told_before_any_record(given: dict[str, Any], said: str) -> None:
    flow = flowdsl.load("- step: SET\n  text: a\n")

    async def outcomes() -> list[Any]:
        found = {"flow": flow, "records": [{}], **given}
        return [each async for each in flowdsl.batch(found.pop("flow"), found.pop("records"), **found)]

    with pytest.raises(flowdsl.UsageError) as raised:
        asyncio.run(outcomes())
    assert said in str(raised.value)
