"""A block that is repeated pays for no picture twice."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from web_server import Response, Web, response

from flowdsl import Environment, Limits, Storage
from flowdsl.errors import RunError
from flowdsl.events import Event, FlowFinished, Note
from flowdsl_steps.image.simulator import Simulator

BUSY = response(b"busy", "503 Service Unavailable")
DONE = response(b"{}", headers="content-type: application/json\r\n")
BOAT = """\
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A paper boat
  size: 1024x1024
  quality: low
"""
POST = "- step: REST\n  url: WEB\n  maxRetries: 0\n"


def trying(body: str, retry: str = "max: 2", catch: str = "") -> str:
    """A TRY whose retry waits for nothing."""
    caught = f"  catch:\n{indent(catch, '    ')}" if catch else ""
    return f"- step: TRY\n  retry: {{{retry}, delayMs: 0}}\n  try:\n{indent(body, '    ')}{caught}"


def twice(body: str, more: str = "") -> str:
    return f"- step: FOR\n  var: n\n  start: 1\n  end: 2\n{more}  do:\n{indent(body, '    ')}"


class Told:
    """What a run came to: requests that the image service saw, and what the run said of those that it did not send."""

    def __init__(self) -> None:
        self.bought = 0
        self.events: list[Event] = []
        self.result: Any = None

    @property
    def reused(self) -> int:
        end = next(event for event in self.events if isinstance(event, FlowFinished))
        notes = [event for event in self.events if isinstance(event, Note) and event.code == "paid-before"]
        assert end.reused == self.result.reused == len(notes)
        return end.reused


def told(flow: str, folder: Path, *responses: Response, faults: list[str] | None = None, **limits: Any) -> Told:
    found = Told()
    with Simulator(faults=faults or []) as simulator, Web(*responses) as web:
        services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
        environment = Environment(
            services=services, storage=Storage(images=folder), limits=Limits(private_addresses=True, **limits)
        )
        try:
            found.result = environment.load(flow.replace("WEB", web.url)).run(on_event=found.events.append)
        except RunError as error:
            found.result = error.result
        found.bought = simulator.request_count
    return found


def test_a_retry_uses_the_picture_again_that_was_paid_for(tmp_path: Path) -> None:
    found = told(trying(BOAT + POST), tmp_path, BUSY, BUSY, DONE)
    assert (found.bought, found.reused) == (1, 2)
    assert len(found.result.images) == 1
    assert found.result.cost_usd == pytest.approx(told(BOAT, tmp_path, DONE).result.cost_usd)


def test_a_retry_needs_nothing_of_the_budget_for_what_is_paid(tmp_path: Path) -> None:
    found = told(trying(BOAT + POST), tmp_path, BUSY, BUSY, DONE, max_requests=1, max_usd=0.01)
    assert (found.bought, len(found.result.images)) == (1, 1)


def test_paid_again_buys_a_new_picture_on_purpose(tmp_path: Path) -> None:
    found = told(trying(BOAT + POST, "max: 2, paid: again"), tmp_path, BUSY, BUSY, DONE)
    assert (found.bought, found.reused) == (3, 0)


def test_paid_again_repeats_after_a_raise_too(tmp_path: Path) -> None:
    judge = "- step: RAISE\n  message: too dark\n"
    assert told(trying(BOAT + judge, "max: 2, paid: again"), tmp_path, DONE).bought == 3
    assert told(trying(BOAT + judge), tmp_path, DONE).bought == 1


def test_another_request_of_a_retry_is_bought(tmp_path: Path) -> None:
    count = "- step: SET\n  tried: '{{ (flowContext.tried or 0) + 1 }}'\n"
    other = BOAT.replace("A paper boat", "Paper boat number {{ flowContext.tried }}")
    assert told(trying(count + other + POST), tmp_path, BUSY, DONE).bought == 2


def test_equal_requests_of_one_attempt_are_two_purchases_and_none_of_its_repetition(tmp_path: Path) -> None:
    for more in ("", "  concurrency: 2\n"):
        found = told(trying(twice(BOAT, more) + POST), tmp_path, BUSY, DONE)
        assert (found.bought, found.reused) == (2, 2)


def test_work_side_by_side_takes_what_each_paid_for(tmp_path: Path) -> None:
    branch = indent(BOAT, "    ").replace("    -", "  - -", 1)
    found = told(trying(f"- step: PARALLEL\n  steps:\n{branch}{branch}{POST}"), tmp_path, BUSY, DONE)
    assert (found.bought, found.reused) == (2, 2)


def test_a_try_inside_another_takes_what_either_paid_for(tmp_path: Path) -> None:
    inner = trying(BOAT + POST, "max: 1")
    found = told(trying(inner + POST), tmp_path, BUSY, DONE, BUSY, BUSY, DONE, DONE)
    assert (found.bought, found.reused) == (1, 3)


def test_the_picture_of_an_inner_try_that_bought_again_on_purpose_is_not_bought_by_the_outer_one(
    tmp_path: Path,
) -> None:
    inner = trying(BOAT + POST, "max: 1, paid: again")
    found = told(trying(inner + POST), tmp_path, BUSY, DONE, BUSY, BUSY, DONE, DONE)
    assert (found.bought, found.reused) == (2, 2)


def test_what_a_called_flow_paid_for_is_used_again(tmp_path: Path) -> None:
    flow = (
        f"blocks:\n  flows:\n    paint:\n{indent(BOAT, '      ')}"
        f"flow:\n{indent(trying('- step: CALL_FLOW' + chr(10) + '  ref: local.flows.paint' + chr(10) + POST), '  ')}"
    )
    found = told(flow, tmp_path, BUSY, DONE)
    assert (found.bought, found.reused) == (1, 1)


def test_a_fallback_with_the_same_request_gets_what_was_paid_for(tmp_path: Path) -> None:
    found = told(trying(BOAT + POST, "max: 0", catch=BOAT), tmp_path, BUSY)
    assert (found.bought, found.reused) == (1, 1)
    flow = f"flow:\n{indent(BOAT + POST, '  ')}onError:\n{indent(BOAT, '  ')}  - step: END\n"
    found = told(flow, tmp_path, BUSY)
    assert (found.bought, found.reused) == (1, 1)


def test_the_requests_of_one_step_that_succeeded_are_not_sent_again(tmp_path: Path) -> None:
    three = BOAT.replace("gpt-image-2", "dall-e-3").replace("quality: low", "n: 3\n  maxRetries: 0")
    found = told(trying(three), tmp_path, DONE, faults=["none", "rate_limit"])
    assert (found.bought, found.reused) == (4, 2)
    assert len(found.result.images) == 3


def test_a_try_that_runs_a_second_time_buys_anew(tmp_path: Path) -> None:
    found = told(twice(trying(BOAT + POST)), tmp_path, DONE)
    assert (found.bought, found.reused) == (2, 0)


def test_the_summary_says_what_was_used_again(tmp_path: Path) -> None:
    from flowdsl.cli.summary import summary

    found = told(trying(BOAT + POST), tmp_path, BUSY, DONE)
    assert "1 paid request was not sent again" in summary(found.result, simulated=False)
