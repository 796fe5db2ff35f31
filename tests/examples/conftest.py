"""What the tests of the examples share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_web import Web, running_web
from studio import Studio

from flowdsl_steps.image.simulator import Simulator


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """A studio whose simulators run as long as the test."""
    with Simulator() as openai, Simulator(deployments={"images": "gpt-image-2"}) as azure:
        yield Studio(openai, azure, tmp_path)


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server that runs as long as the test."""
    with running_web() as running:
        yield running
