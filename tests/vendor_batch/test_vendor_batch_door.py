"""Runs whose pictures come through a batch: they wait, and go on when theirs are there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_bench import CARD, QUICK, bought, flow_of, until

from flowdsl import Environment, Flow, Host, Note, Result, Storage
from flowdsl.errors import ContentRefused, FlowError, ServiceError
from flowdsl.events import Event, FlowFinished
from flowdsl.journal.errors import RequestHeld
from flowdsl.journal.journal import Journal
from flowdsl_steps.image.simulator import Fault, Simulator
from flowdsl_steps.image.vendor_batch.door import VendorBatchDoor, discount
from flowdsl_steps.image.vendor_batch.files import Limits
from flowdsl_steps.image.vendor_batch.journal import BatchJournal, MemoryBatchJournal

FULL_USD = 0.0059
FOUR = """\
flow:
  - step: FOR
    var: number
    items: [1, 2, 3, 4]
    concurrency: 4
    do:
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: One prompt
        size: 1024x1024
        quality: low
    collect: "{{ flowContext.imageList[0] }}"
    collectKey: cards
outputs: {cards: "{{ flowContext.cards }}"}
"""
EDITED = """\
inputs: {name: {type: string}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "A card for {{ inputs.name }}"
    size: 1024x1024
    quality: low
  - step: OPENAI_IMAGE_EDIT
    model: gpt-image-2
    instruction: "Make it bluer for {{ inputs.name }}"
    images: "{{ flowContext.imageList }}"
    size: 1024x1024
    quality: low
outputs: {card: "{{ flowContext.imageList }}"}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(plain=True) as simulator:
        yield simulator


@pytest.fixture
def sim(running: Simulator) -> Simulator:
    running.reset()
    return running


def door_of(
    folder: Path, journal: BatchJournal | None = None, limits: Limits | None = None, gather_s: float = 0.2
) -> VendorBatchDoor:
    kept = MemoryBatchJournal("mine") if journal is None else journal
    more = {} if limits is None else {"limits": limits}
    return VendorBatchDoor(kept, folder / "parts", gather_s=gather_s, pauses=QUICK, **more)  # type: ignore[arg-type]


async def all_of(flow: Flow, door: VendorBatchDoor, count: int) -> list[Result | BaseException]:
    async with door:
        runs = (flow.arun({"name": f"P{n}"}, effects=door, run_id=f"run-{n}") for n in range(count))
        return await asyncio.gather(*runs, return_exceptions=True)


def results_of(found: list[Result | BaseException]) -> list[Result]:
    failed = [each for each in found if isinstance(each, BaseException)]
    assert not failed, failed[0]
    return [each for each in found if isinstance(each, Result)]


@pytest.mark.long
def test_two_hundred_records_wait_for_one_batch_each_with_its_own_picture(sim: Simulator, tmp_path: Path) -> None:
    flow = flow_of(sim, tmp_path / "images")
    found = results_of(asyncio.run(all_of(flow, door_of(tmp_path, gather_s=2), 200)))
    assert len(found) == 200
    assert bought(sim) == {f"A card for P{number}": 1 for number in range(200)}
    assert all(Path(image.path).is_file() for each in found for image in each.images)
    assert {round(each.cost_usd or 0, 5) for each in found} == {FULL_USD / 2}
    assert not [each for each in sim.requests if each.is_generation and "x-batch-id" not in each.headers]
    assert len([each for each in sim.requests if (each.method, each.path) == ("POST", "/v1/batches")]) == 1


@pytest.mark.long
def test_requests_beyond_a_limit_of_a_file_go_into_several_batches(sim: Simulator, tmp_path: Path) -> None:
    flow = flow_of(sim, tmp_path / "images")
    results_of(asyncio.run(all_of(flow, door_of(tmp_path, limits=Limits(requests=4), gather_s=2), 10)))
    assert len([each for each in sim.requests if (each.method, each.path) == ("POST", "/v1/batches")]) == 3
    assert set(bought(sim).values()) == {1}


def test_equal_requests_of_a_run_are_a_picture_each(sim: Simulator, tmp_path: Path) -> None:
    async def main() -> Result:
        async with door_of(tmp_path) as door:
            return await flow_of(sim, tmp_path / "images", FOUR).arun(effects=door)

    found = asyncio.run(main())
    assert bought(sim) == {"One prompt": 4}
    assert len({image.path for image in found.images}) == 4


def test_steps_that_need_the_pictures_go_on_when_these_are_there(sim: Simulator, tmp_path: Path) -> None:
    found = results_of(asyncio.run(all_of(flow_of(sim, tmp_path / "images", EDITED), door_of(tmp_path), 3)))
    assert bought(sim) == {f"{what} P{n}": 1 for n in range(3) for what in ("A card for", "Make it bluer for")}
    assert all(Path(each.images[0].path).is_file() for each in found)


def test_one_that_is_refused_fails_alone(sim: Simulator, tmp_path: Path) -> None:
    sim.faults.add("moderation,when=P3")
    found = asyncio.run(all_of(flow_of(sim, tmp_path / "images"), door_of(tmp_path), 6))
    failed = [each for each in found if isinstance(each, BaseException)]
    assert len(failed) == 1
    assert isinstance(found[3], ContentRefused)
    assert set(bought(sim).values()) == {1}
    assert len(bought(sim)) == 5


@pytest.mark.long
def test_what_expires_goes_into_the_next_batch_and_not_for_ever(sim: Simulator, tmp_path: Path) -> None:
    sim.faults.add("batch_expired")
    results_of(asyncio.run(all_of(flow_of(sim, tmp_path / "images"), door_of(tmp_path), 8)))
    assert bought(sim) == {f"A card for P{number}": 1 for number in range(8)}
    sim.reset()
    sim.faults.add("rate_limit:*,when=P1")
    found = asyncio.run(all_of(flow_of(sim, tmp_path / "images"), door_of(tmp_path / "again"), 3))
    assert isinstance(found[1], ServiceError)
    assert (found[1].code, found[1].charge_possible) == ("batch-not-done", False)
    assert "3 batches: too many requests" in found[1].message


@pytest.mark.long
def test_a_door_that_comes_later_goes_on_with_what_the_vendor_has(tmp_path: Path) -> None:
    journal = MemoryBatchJournal("mine")

    async def first(flow: Flow) -> None:
        async with door_of(tmp_path, journal) as door:
            runs = [flow.arun({"name": f"P{n}"}, effects=door, run_id=f"run-{n}") for n in range(5)]
            tasks = [asyncio.create_task(run) for run in runs]
            await until(lambda: [part for part in journal.parts() if part.state == "submitted"])
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    with Simulator(plain=True, batch_s=1) as sim:
        flow = flow_of(sim, tmp_path / "images")
        asyncio.run(first(flow))
        results_of(asyncio.run(all_of(flow, door_of(tmp_path, journal), 7)))
        assert bought(sim) == {f"A card for P{number}": 1 for number in range(7)}


def test_a_vendor_without_a_batch_is_asked_directly_and_the_run_says_so(sim: Simulator, tmp_path: Path) -> None:
    text = CARD.replace("OPENAI_IMAGE", "AZURE_OPENAI_IMAGE")
    environ = {"AZURE_OPENAI_ENDPOINT": sim.azure_endpoint, "AZURE_OPENAI_API_KEY": sim.key}
    flow = Environment(environ=environ, storage=Storage(images=tmp_path / "images"), settings=None).load(text)
    notes: list[Note] = []

    async def main() -> Result:
        async with door_of(tmp_path) as door:
            keep = lambda event: notes.append(event) if isinstance(event, Note) else None  # noqa: E731
            return await flow.arun({"name": "P"}, effects=door, on_event=keep)

    found = asyncio.run(main())
    assert found.cost_usd == pytest.approx(FULL_USD, rel=0.02)
    assert [(note.code, note.text) for note in notes] == [
        (
            "not-in-batch",
            "sent directly, at its full price: `azure` has no batch for pictures that we know of",
        )
    ]


def test_what_is_asked_directly_and_waits_to_be_sent_again_is_not_in_doubt(tmp_path: Path) -> None:
    text = CARD.replace("OPENAI_IMAGE", "AZURE_OPENAI_IMAGE")
    told: list[Event] = []

    async def main(flow: Flow) -> None:
        async with door_of(tmp_path) as door:
            running = asyncio.create_task(flow.arun({"name": "P"}, effects=door, on_event=told.append))
            await until(lambda: [each for each in told if isinstance(each, Note) and each.code == "retry"])
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    with Simulator(plain=True, faults=[Fault("rate_limit", times=9, retry_after="30")]) as sim:
        environ = {"AZURE_OPENAI_ENDPOINT": sim.azure_endpoint, "AZURE_OPENAI_API_KEY": sim.key}
        surroundings = Environment(environ=environ, storage=Storage(images=tmp_path / "images"), settings=None)
        asyncio.run(main(surroundings.load(text)))
    assert [each.in_doubt for each in told if isinstance(each, FlowFinished)] == [0]


def test_a_key_that_is_wrong_ends_every_run_at_once(sim: Simulator, tmp_path: Path) -> None:
    flow = flow_of(sim, tmp_path / "images", key="sk-this-is-wrong")
    found = asyncio.run(all_of(flow, door_of(tmp_path), 3))
    assert all(isinstance(each, FlowError) and "does not accept the key" in str(each) for each in found)
    assert "sk-this-is-wrong" not in str(found)
    assert not list((tmp_path / "parts" / "mine").iterdir())


@pytest.mark.long
def test_a_run_with_a_journal_asks_the_batch_for_what_is_in_doubt(tmp_path: Path) -> None:
    async def first(flow: Flow, journal: Journal) -> None:
        kept = journal.vendor_batch("mine")
        async with door_of(tmp_path, kept) as door:
            task = asyncio.create_task(flow.arun({}, effects=door, journal=journal, run_id="r"))
            await until(lambda: [part for part in kept.parts() if part.state == "submitted"])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def second(flow: Flow, journal: Journal, door: VendorBatchDoor) -> Result:
        async with door:
            return await flow.arun({}, effects=door, journal=journal.resuming("r"), run_id="r")

    with Simulator(plain=True, batch_s=1) as sim, Journal(tmp_path / "state") as journal:
        flow = flow_of(sim, tmp_path / "images", FOUR)
        asyncio.run(first(flow, journal))
        for other in (journal.vendor_batch("another"), MemoryBatchJournal("mine")):  # which know nothing of it
            with pytest.raises(RequestHeld):
                asyncio.run(second(flow, journal, door_of(tmp_path, other)))
        found = asyncio.run(second(flow, journal, door_of(tmp_path, journal.vendor_batch("mine"))))
        assert bought(sim) == {"One prompt": 4}
        assert len(found.outputs["cards"]) == 4
        assert found.cost_usd == pytest.approx(4 * FULL_USD / 2, rel=0.02)
        rows = journal.database.read("SELECT state, cost_usd FROM ledger")
        assert [(row["state"], round(row["cost_usd"], 5)) for row in rows] == [("ok", FULL_USD / 2)] * 4


def test_no_secret_of_a_run_is_kept_of_what_the_vendor_says(sim: Simulator, tmp_path: Path) -> None:
    secret = "hidden-word-of-a-run"
    text = CARD.replace("{{ inputs.name }}", "{{ secret('WORD') }}")
    environ = {"OPENAI_BASE_URL": sim.openai_base_url, "OPENAI_API_KEY": sim.key}
    host = Host(secrets=lambda name: secret)
    storage = Storage(images=tmp_path / "images")
    flow = Environment(environ=environ, storage=storage, settings=None, host=host).load(text)

    async def main(journal: Journal) -> Result:
        async with door_of(tmp_path, journal.vendor_batch("mine")) as door:
            return await flow.arun({"name": "P"}, effects=door, journal=journal)

    with Journal(tmp_path / "state") as journal:
        asyncio.run(main(journal))
    assert list(bought(sim)) == [f"A card for {secret}"]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".png"]
    assert len(files) >= 2
    assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_the_discount_is_known_for_models_that_a_source_names() -> None:
    assert discount("gpt-image-2") == discount("gpt-image-2-2026-04-21") == 0.5
    assert discount("gpt-image-2.5-flare") == 0
    assert discount("somebody/else") == 0
