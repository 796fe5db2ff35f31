"""Looking ahead keeps no run from what it may do, and lets none pay for what cannot end well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest

from flowdsl import Environment, Host, RunError, Step, StepContext, Verbatim
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
    "text",
    [
        "{% if flowContext.imageList | length > 5 %}{{ secret('SECOND_KEY') }}{% endif %}",
        "{# {{ secret('SECOND_KEY') }} #}",
        "{% raw %}{{ secret('SECOND_KEY') }}{% endraw %}",
    ],
    ids=["in a branch", "in a comment", "raw"],
)
def test_a_secret_that_a_text_never_reads_does_not_keep_a_run_from_its_picture(text: str, simulator: Simulator) -> None:
    before = simulator.request_count
    environment(simulator).run(f'{PICTURE}- step: EMIT_EVENT\n  name: done\n  payload: "{text}"\n')
    assert simulator.request_count == before + 1


class Quote(Step, name="QUOTE"):
    """Takes a text as it stands."""

    text: Annotated[str, Verbatim()]
    """The text."""

    def run(self, ctx: StepContext) -> None:
        """Does nothing with it."""


def test_a_secret_in_a_text_that_is_no_template_does_not_keep_a_run_from_its_picture(simulator: Simulator) -> None:
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    own = Environment(services={"OPENAI_IMAGE_GENERATION": service}, host=Host(secrets={}.get), steps=[Quote])
    before = simulator.request_count
    own.run(f"{PICTURE}- step: QUOTE\n  text: \"{{{{ secret('SECOND_KEY') }}}}\"\n")
    assert simulator.request_count == before + 1


def test_a_catch_pays_for_nothing_when_a_later_step_cannot_run(simulator: Simulator) -> None:
    inside = "".join(f"  {line}\n" for line in PICTURE.splitlines())
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        environment(simulator).run(f"- step: TRY\n  try:\n{inside}  catch:\n{inside}{SECRET}")
    assert (failed.value.code, failed.value.path) == ("secret-not-set", "flow[1]")
    assert simulator.request_count == before


def test_on_error_may_pay_when_a_step_that_no_longer_comes_cannot_run(simulator: Simulator) -> None:
    picture, secret = ("".join(f"  {line}\n" for line in text.splitlines()) for text in (PICTURE, SECRET))
    before = simulator.request_count
    environment(simulator).run(f"onError:\n{picture}  - step: END\nflow:\n{picture}{secret}")
    assert simulator.request_count == before + 1
