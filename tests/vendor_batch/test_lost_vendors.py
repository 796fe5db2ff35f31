"""What is in a batch stays known, whatever becomes of the way to the vendor."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from pathlib import Path
from time import time

import pytest
from batch_bench import CARD, QUICK, bought, flow_of, until

from flowdsl import Environment, Flow, Storage
from flowdsl.errors import RunError
from flowdsl.journal.journal import Journal
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.vendor_batch.door import VendorBatchDoor

pytestmark = pytest.mark.long

ELSEWHERE = "http://127.0.0.1:9/v1"


def door_of(folder: Path, journal: Journal) -> VendorBatchDoor:
    return VendorBatchDoor(journal.vendor_batch("mine"), folder / "parts", gather_s=0.05, pauses=QUICK)


async def broken_off(flow: Flow, folder: Path, journal: Journal) -> None:
    """A run that ends when its request is in a batch."""
    kept = journal.vendor_batch("mine")
    async with door_of(folder, journal) as door:
        task = asyncio.create_task(flow.arun({"name": "P"}, effects=door, journal=journal, run_id="r"))
        await until(lambda: [part for part in kept.parts() if part.state == "submitted"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def resumed(flow: Flow, folder: Path, journal: Journal) -> str | None:
    """The code of the error that a further attempt ends with, if it does."""
    async with door_of(folder, journal) as door:
        try:
            await flow.arun({"name": "P"}, effects=door, journal=journal.resuming("r"), run_id="r")
        except RunError as error:
            assert error.charge_possible
            assert error.hint
            return error.code
    return None


def test_a_vendor_that_refuses_to_say_whether_a_batch_is_made_is_not_asked_for_another_later(tmp_path: Path) -> None:
    async def killed(flow: Flow, journal: Journal) -> None:
        async with door_of(tmp_path, journal) as door:
            task = asyncio.create_task(flow.arun({"name": "P"}, effects=door, journal=journal, run_id="r"))
            await until(lambda: [each for each in sim.requests if each.path == "/v1/batches"])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with Simulator(plain=True, faults=["batch_lost"]) as sim, Journal(tmp_path / "state") as journal:
        flow = flow_of(sim, tmp_path / "images")
        asyncio.run(killed(flow, journal))
        assert [part.state for part in journal.vendor_batch("mine").parts()] == ["submitting"]
        for _ in range(2):  # the first of which must not take the request for one that was refused
            wrong = flow_of(sim, tmp_path / "images", key="sk-wrong")
            assert asyncio.run(resumed(wrong, tmp_path, journal)) == "service-refused"
        assert asyncio.run(resumed(flow, tmp_path, journal)) is None
        assert bought(sim) == {"A card for P": 1}


def test_a_service_whose_address_has_changed_is_told_where_its_batch_is(tmp_path: Path) -> None:
    environ = {"OPENAI_BASE_URL": ELSEWHERE, "OPENAI_API_KEY": "sk-x"}
    other = Environment(environ=environ, storage=Storage(images=tmp_path / "images"), settings=None).load(CARD)
    with Simulator(plain=True, batch_s=0.3) as sim, Journal(tmp_path / "state") as journal:
        flow = flow_of(sim, tmp_path / "images")
        asyncio.run(broken_off(flow, tmp_path, journal))
        assert asyncio.run(resumed(other, tmp_path, journal)) == "batch-in-doubt"
        assert asyncio.run(resumed(flow, tmp_path, journal)) is None
        assert bought(sim) == {"A card for P": 1}


def test_a_batch_that_the_vendor_does_not_know_is_in_doubt_and_not_bought_again(tmp_path: Path) -> None:
    with Simulator(plain=True, batch_s=0.3) as sim, Journal(tmp_path / "state") as journal:
        flow = flow_of(sim, tmp_path / "images")
        asyncio.run(broken_off(flow, tmp_path, journal))
        sim.reset()
        for _ in range(2):
            assert asyncio.run(resumed(flow, tmp_path, journal)) == "batch-in-doubt"
        assert not bought(sim)


@pytest.mark.parametrize(
    "days", [pytest.param(-40, id="far behind"), pytest.param(40, id="far ahead"), pytest.param(0, id="the same")]
)
def test_a_lost_batch_is_found_whatever_the_clocks_say(tmp_path: Path, days: int) -> None:
    async def killed(flow: Flow, journal: Journal) -> None:
        async with door_of(tmp_path, journal) as door:
            task = asyncio.create_task(flow.arun({"name": "P"}, effects=door, journal=journal, run_id="r"))
            await until(lambda: [each for each in sim.requests if each.path == "/v1/batches"])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    clock = lambda: time() + days * 86400  # noqa: E731
    with Simulator(plain=True, faults=["batch_lost"], clock=clock) as sim, Journal(tmp_path / "state") as journal:
        flow = flow_of(sim, tmp_path / "images")
        asyncio.run(killed(flow, journal))
        assert asyncio.run(resumed(flow, tmp_path, journal)) is None
        assert bought(sim) == {"A card for P": 1}


def test_pictures_that_a_full_disk_does_not_take_stay_at_the_vendor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    write = os.write

    def written(descriptor: int, content: bytes) -> int:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(tmp_path / "images"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content)

    with Simulator(plain=True, batch_s=0.3) as sim, Journal(tmp_path / "state") as journal:
        flow = flow_of(sim, tmp_path / "images")
        asyncio.run(broken_off(flow, tmp_path, journal))
        with monkeypatch.context() as full:
            full.setattr("os.write", written)
            assert asyncio.run(resumed(flow, tmp_path, journal)) == "image-unwritable"
        assert not [path for path in temporary.rglob("*") if len(path.stem) == 64]
        assert asyncio.run(resumed(flow, tmp_path, journal)) is None
        assert bought(sim) == {"A card for P": 1}
