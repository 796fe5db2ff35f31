from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from flowdsl_steps.image.simulator import Simulator


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def sim(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def http(sim: Simulator) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {sim.key}"}
    with httpx.Client(base_url=sim.url, headers=headers, timeout=10) as client:
        yield client
