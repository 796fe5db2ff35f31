"""The results of a batch are far larger than the memory they are read with."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "vendor_batch"))

from batch_bench import account, request_of

from flowdsl_steps.image.vendor_batch.files import write_batch_files
from flowdsl_steps.image.vendor_batch.journal import MemoryBatchJournal

PICTURES, BYTES = 60, 1_500_000
MOST_BYTES = 12_000_000


class Elsewhere:
    """A simulator in a process of its own."""

    key = "sk-simulated"

    def __init__(self, url: str) -> None:
        self.openai_base_url = f"{url}/v1"


@pytest.fixture
def simulator() -> Iterator[Elsewhere]:
    command = [sys.executable, "-m", "flowdsl_steps.image.simulator", "--payload-bytes", str(BYTES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Elsewhere(process.stdout.readline().strip())
        process.terminate()


def test_a_hundred_megabytes_of_results_take_the_memory_of_a_few_buffers(simulator: Elsewhere, tmp_path: Path) -> None:
    async def main() -> tuple[int, int]:
        journal = MemoryBatchJournal("large")
        requests = (request_of(f"id{number}", simulator.openai_base_url) for number in range(PICTURES))
        [part] = write_batch_files(requests, tmp_path / "parts")
        async with account(simulator, journal, tmp_path / "images") as batch:  # type: ignore[arg-type]  # as far as it goes
            await batch.submit(part)
            tracemalloc.start()
            try:
                done = [outcome.received is not None async for outcome in batch.results(1)]
                return sum(done), tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    done, peak = asyncio.run(main())
    assert done == PICTURES
    assert peak < MOST_BYTES
    assert {path.stat().st_size for path in (tmp_path / "images").glob("*.png")} == {BYTES}
