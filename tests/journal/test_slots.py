"""Places for requests at the same time, among processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from flowdsl.image.part_file import lock
from flowdsl.journal import slots
from flowdsl.journal.slots import slot

GREEDY = """
import asyncio, pathlib, sys
from flowdsl.journal.slots import slot

async def take():
    while True:
        async with slot(pathlib.Path(sys.argv[1]), "images", 1):
            print("taken", flush=True)
            await asyncio.sleep(0.01)

asyncio.run(take())
"""


def test_a_process_that_always_wants_another_place_keeps_nobody_away(tmp_path: Path) -> None:
    async def take() -> None:
        async with slot(tmp_path, "images", 1):
            pass

    with subprocess.Popen(
        [sys.executable, "-c", GREEDY, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"taken\n"
        try:
            for _ in range(3):
                asyncio.run(asyncio.wait_for(take(), 20))
        finally:
            process.kill()


def test_of_those_who_wait_in_one_loop_only_one_looks_for_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    def counted(descriptor: int) -> bool | None:
        nonlocal looked
        looked += 1
        return lock(descriptor)

    async def wait() -> None:
        async with slot(tmp_path, "images", 1):
            waiting = [asyncio.ensure_future(slot(tmp_path, "images", 1).__aenter__()) for _ in range(200)]
            await asyncio.sleep(0.5)
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    monkeypatch.setattr(slots, "lock", counted)
    asyncio.run(wait())
    assert 0 < looked < 200
