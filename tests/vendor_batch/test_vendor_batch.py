"""The client of the Batch API against the simulator: what is lost is found again, and nothing is bought twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from batch_bench import QUICK, account, bought, request_of, until

from flowdsl.errors import ContentRefused, ServiceError
from flowdsl.journal.database import Database
from flowdsl.journal.vendor_batches import VendorBatches
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.vendor_batch.files import USUAL, Limits, Part, write_batch_files
from flowdsl_steps.image.vendor_batch.journal import BatchJournal, MemoryBatchJournal
from flowdsl_steps.image.vendor_batch.results import without_words
from flowdsl_steps.image.vendor_batch.vendor_batch import Outcome, VendorBatch

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(plain=True) as simulator:
        yield simulator


@pytest.fixture
def sim(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BatchJournal]:
    if request.param == "memory":
        yield MemoryBatchJournal("mine")
        return
    with Database(tmp_path / "state") as database:
        yield VendorBatches(database, "mine")


def parts_of(sim: Simulator, folder: Path, count: int = 6, limits: Limits = USUAL) -> list[Part]:
    requests = (request_of(f"id{number}", sim.openai_base_url) for number in range(count))
    return write_batch_files(requests, folder / "parts", limits)


async def outcomes(batch: VendorBatch, number: int) -> dict[str, Outcome]:
    return {outcome.id: outcome async for outcome in batch.results(number)}


def states(journal: BatchJournal, count: int = 6) -> list[str]:
    found = [journal.find(f"id{number}") for number in range(count)]
    return ["" if each is None else each.state for each in found]


def test_pictures_come_and_nothing_is_left_at_the_vendor(sim: Simulator, journal: BatchJournal, tmp_path: Path) -> None:
    async def main() -> dict[str, Outcome]:
        async with account(sim, journal, tmp_path / "images") as batch:
            [part] = parts_of(sim, tmp_path)
            await batch.submit(part)
            return await outcomes(batch, 1)

    found = asyncio.run(main())
    assert sorted(found) == [f"id{number}" for number in range(6)]
    received = found["id3"].received
    assert received is not None
    assert received.usage is not None
    assert received.usage["output_tokens"] == 196
    assert received.request_id is not None
    assert bought(sim) == {f"Picture id{number}": 1 for number in range(6)}
    assert states(journal) == ["done"] * 6
    assert [part.state for part in journal.parts()] == ["ended"]
    assert len(list((tmp_path / "images").glob("*.png"))) >= 1
    assert not list((tmp_path / "parts").iterdir())
    assert [each.method for each in sim.requests if each.path.startswith("/v1/files/")].count("DELETE") == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("batch_lost", id="the answer to the submission"),
        pytest.param("upload_lost", id="the answer to the upload"),
        pytest.param("batch_cut", id="half of the results"),
    ],
)
def test_what_is_lost_on_the_way_is_neither_lost_nor_bought_twice(
    sim: Simulator, journal: BatchJournal, tmp_path: Path, fault: str
) -> None:
    sim.faults.add(fault)

    async def main() -> dict[str, Outcome]:
        async with account(sim, journal, tmp_path / "images") as batch:
            [part] = parts_of(sim, tmp_path)
            await batch.submit(part)
            return await outcomes(batch, 1)

    found = asyncio.run(main())
    assert all(each.received is not None for each in found.values())
    assert bought(sim) == {f"Picture id{number}": 1 for number in range(6)}
    created = [each for each in sim.requests if (each.method, each.path) == ("POST", "/v1/batches")]
    uploads = [each for each in sim.requests if (each.method, each.path) == ("POST", "/v1/files")]
    assert (len(created), len(uploads)) == (1, 1)


def test_a_submission_of_unknown_outcome_is_found_by_a_later_process(
    sim: Simulator, journal: BatchJournal, tmp_path: Path
) -> None:
    sim.faults.add("batch_lost")

    async def first() -> None:
        async with account(sim, journal, tmp_path / "images") as batch:
            [part] = parts_of(sim, tmp_path)
            task = asyncio.create_task(batch.submit(part))
            await until(lambda: [each for each in sim.requests if each.path == "/v1/batches"])
            task.cancel()

    async def second() -> dict[str, Outcome]:
        async with account(sim, journal, tmp_path / "images") as batch:
            assert await batch.recover() == [1]
            return await outcomes(batch, 1)

    asyncio.run(first())
    found = asyncio.run(second())
    assert len(found) == 6
    assert set(bought(sim).values()) == {1}


def test_what_was_never_submitted_is_dropped_by_a_later_process(
    sim: Simulator, journal: BatchJournal, tmp_path: Path
) -> None:
    async def main() -> None:
        [part] = parts_of(sim, tmp_path)
        async with account(sim, journal, tmp_path / "images") as batch:
            batch._api.create = None  # type: ignore[assignment, method-assign]  # as if the process had ended there
            with pytest.raises(TypeError):
                await batch.submit(part)
        async with account(sim, journal, tmp_path / "images") as batch:
            assert await batch.recover() == []

    asyncio.run(main())
    assert [part.state for part in journal.parts()] == ["dropped"]
    assert states(journal) == [""] * 6
    assert not bought(sim)


def test_refused_requests_have_their_errors_and_the_others_their_pictures(
    sim: Simulator, journal: BatchJournal, tmp_path: Path
) -> None:
    sim.faults.add("moderation,when=id1", "rate_limit,when=id2", "server_error,when=id3")

    async def main() -> tuple[dict[str, Outcome], list[Outcome]]:
        async with account(sim, journal, tmp_path / "images") as batch:
            [part] = parts_of(sim, tmp_path)
            await batch.submit(part)
            found = await outcomes(batch, 1)
            kept = [journal.find(id) for id in ("id0", "id1", "id2")]
            return found, [batch.known(each.result, each.state, "") for each in kept if each is not None]

    found, kept = asyncio.run(main())
    refused = found["id1"].error
    assert isinstance(refused, ContentRefused)
    assert not refused.charge_possible
    assert found["id2"] == Outcome("id2", reason="too many requests")
    assert found["id3"].error is not None
    assert found["id3"].error.charge_possible  # as with a direct request: nobody knows
    assert states(journal) == ["done", "failed", "not_done", "failed", "done", "done"]
    assert kept[0].received is not None
    assert kept[0].received.images == found["id0"].received.images  # type: ignore[union-attr]
    assert isinstance(kept[1].error, ContentRefused)
    assert kept[1].error.to_dict() == refused.to_dict()
    assert kept[2].reason == "too many requests"


def test_a_batch_that_expires_gives_back_what_it_has_not_done(
    sim: Simulator, journal: BatchJournal, tmp_path: Path
) -> None:
    sim.faults.add("batch_expired")

    async def main() -> dict[str, Outcome]:
        async with account(sim, journal, tmp_path / "images") as batch:
            [part] = parts_of(sim, tmp_path)
            await batch.submit(part)
            return await outcomes(batch, 1)

    found = asyncio.run(main())
    done = [each for each in found.values() if each.received is not None]
    left = [each for each in found.values() if each.reason == "batch_expired"]
    assert (len(done), len(left)) == (3, 3)
    assert sorted(states(journal)) == ["done"] * 3 + ["not_done"] * 3
    assert sum(bought(sim).values()) == 3


def test_a_batch_that_is_cancelled_keeps_what_is_done(tmp_path: Path) -> None:
    journal = MemoryBatchJournal("mine")

    async def main(sim: Simulator) -> dict[str, Outcome]:
        async with account(sim, journal, tmp_path / "images") as batch:
            [part] = parts_of(sim, tmp_path)
            await batch.submit(part)
            await until(lambda: bought(sim))
            await batch.cancel()
            return await outcomes(batch, 1)

    with Simulator(plain=True, batch_s=1) as sim:
        found = asyncio.run(main(sim))
        done = [each for each in found.values() if each.received is not None]
        assert len(done) == sum(bought(sim).values()) >= 1
        assert {each.reason for each in found.values() if each.received is None} == {"batch_cancelled"}


@pytest.mark.parametrize(
    ("fault", "limits", "error"),
    [
        pytest.param("batch_failed", (50_000, 10**9), False, id="as there is too much before it"),
        pytest.param("none", (2, 10**9), True, id="as it is over the limits"),
    ],
)
def test_a_batch_that_is_refused_buys_nothing(tmp_path: Path, fault: str, limits: tuple[int, int], error: bool) -> None:
    journal = MemoryBatchJournal("mine")

    async def main(sim: Simulator) -> dict[str, Outcome]:
        async with account(sim, journal, tmp_path / "images") as batch:
            [part] = parts_of(sim, tmp_path)
            await batch.submit(part)
            return await outcomes(batch, 1)

    with Simulator(plain=True, batch_limits=limits, faults=[fault]) as sim:
        found = asyncio.run(main(sim))
        assert not bought(sim)
    assert len(found) == 6
    assert all((each.error is not None) == error for each in found.values())
    if error:
        said = found["id0"].error
        assert said is not None
        assert (said.code, said.charge_possible) == ("batch-refused", False)
        assert "more than 2 requests" in said.message


def test_a_key_that_is_wrong_is_said_before_anything_is_submitted(sim: Simulator, tmp_path: Path) -> None:
    journal = MemoryBatchJournal("mine")

    async def main() -> None:
        async with account(sim, journal, tmp_path / "images") as batch:
            api = batch._api
            api._endpoint = api._endpoint._replace(headers={"Authorization": "Bearer sk-wrong"})
            [part] = parts_of(sim, tmp_path)
            await batch.submit(part)

    with pytest.raises(ServiceError, match="does not accept the key") as raised:
        asyncio.run(main())
    assert not raised.value.charge_possible
    assert "sk-wrong" not in str(raised.value)
    assert [part.state for part in journal.parts()] == ["dropped"]


def test_what_is_kept_while_no_run_waits_repeats_nothing_of_a_prompt() -> None:
    error = {"kind": "ServiceRefused", "message": "A card for SECRET is refused", "code": "content-refused"}
    answer = {"images": [{"path": "a.png", "revised_prompt": "A card for SECRET"}], "payload": {}}
    assert "SECRET" not in f"{without_words(error)} {without_words(answer)}"


def test_a_request_that_stands_in_neither_file_is_in_doubt(sim: Simulator, tmp_path: Path) -> None:
    journal = MemoryBatchJournal("mine")

    async def main() -> dict[str, Outcome]:
        async with account(sim, journal, tmp_path / "images") as batch:
            [part] = parts_of(sim, tmp_path)
            await batch.submit(part._replace(ids=(*part.ids, "ghost")))
            return await outcomes(batch, 1)

    found = asyncio.run(main())
    error = found["ghost"].error
    assert error is not None
    assert (error.code, error.charge_possible) == ("not-in-batch-results", True)
    assert len([each for each in found.values() if each.received is not None]) == 6


def test_results_that_do_not_come_are_asked_for_again_by_whoever_goes_on(
    sim: Simulator, journal: BatchJournal, tmp_path: Path
) -> None:
    async def some(batch: VendorBatch) -> AsyncIterator[Outcome]:
        [part] = parts_of(sim, tmp_path)
        await batch.submit(part)
        results = batch.results(1)
        yield await anext(results)
        yield await anext(results)
        await results.aclose()

    async def main() -> tuple[list[str], list[str]]:
        async with account(sim, journal, tmp_path / "images", QUICK) as batch:
            first = [outcome.id async for outcome in some(batch)]
        async with account(sim, journal, tmp_path / "images", QUICK) as batch:
            assert await batch.recover() == [1]
            return first, [*await outcomes(batch, 1)]

    first, rest = asyncio.run(main())
    assert (len(first), len(rest)) == (2, 4)
    assert not set(first) & set(rest)
    assert set(bought(sim).values()) == {1}
