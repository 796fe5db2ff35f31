"""What a later step surely needs is looked up before the first picture is paid for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowdsl import Environment, Host, RunError
from flowdsl_steps.image.simulator import Simulator

PICTURE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A paper boat\n"
SECRET = "- step: EMIT_EVENT\n  name: done\n  payload: {key: \"{{ secret('SECOND_KEY') }}\"}\n"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as server:
        yield server


def environment(simulator: Simulator) -> Environment:
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    return Environment(services={"OPENAI_IMAGE_GENERATION": service}, host=Host(secrets={}.get))


@pytest.mark.parametrize(
    ("later", "code", "step"),
    [
        (SECRET, "secret-not-set", "EMIT_EVENT"),
        (PICTURE + "  service: GATEWAY\n", "service-not-configured", "OPENAI_IMAGE_GENERATION"),
        (PICTURE.replace("OPENAI", "HUB"), "service-not-configured", "HUB_IMAGE_GENERATION"),
    ],
    ids=["a secret", "a misspelt service", "a service"],
)
def test_what_is_missing_later_is_found_before_the_first_picture(
    later: str, code: str, step: str, simulator: Simulator
) -> None:
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        environment(simulator).run(PICTURE + later)
    assert (failed.value.code, failed.value.step, failed.value.path) == (code, step, "flow[1]")
    assert simulator.request_count == before


def test_what_only_some_runs_come_to_is_not_looked_up(simulator: Simulator) -> None:
    inside = "\n".join("    " + line for line in SECRET.splitlines())
    flow = f'{PICTURE}- step: IF\n  condition: "{{{{ flowContext.imageList | length > 5 }}}}"\n  then:\n{inside}\n'
    before = simulator.request_count
    environment(simulator).run(flow)
    environment(simulator).run(f"{PICTURE}- step: END\n{SECRET}")
    assert simulator.request_count == before + 2
