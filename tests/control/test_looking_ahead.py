"""What a later step surely needs is looked up before the first picture is paid for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowdsl import Environment, Host, RunError
from flowdsl_steps.image.simulator import Simulator

PICTURE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A paper boat\n"
READS_A_SECRET = "- step: EMIT_EVENT\n  name: done\n  payload: \"{{ secret('SECOND_KEY') }}\"\n"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as server:
        yield server


def run(flow: str, simulator: Simulator) -> int:
    """How many pictures were asked for until the run was refused."""
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    environment = (
        Environment(services={"OPENAI_IMAGE_GENERATION": service}, host=Host(secrets={}.get), settings=None)
        if False
        else Environment(services={"OPENAI_IMAGE_GENERATION": service}, host=Host(secrets={}.get))
    )
    before = len(simulator.requests)
    with pytest.raises(RunError) as failed:
        environment.run(flow)
    assert not failed.value.charge_possible
    return len(simulator.requests) - before
