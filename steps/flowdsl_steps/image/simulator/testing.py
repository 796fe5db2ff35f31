"""A pytest fixture: `from flowdsl_steps.image.simulator.testing import simulator`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowdsl_steps.image.simulator.server import Simulator


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A running simulator, stopped after the test."""
    with Simulator() as running:
        yield running
