from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from image_bench import Bench

from flowdsl_steps.image.simulator import Simulator


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A running simulator, stopped after the test."""
    with Simulator() as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, simulator: Simulator) -> Bench:
    """Image steps whose service is the simulator."""
    return Bench(tmp_path, {"provider": "openai", "endpoint": simulator.openai_base_url, "apiKey": simulator.key})
