"""A host hears of each paid request before it is sent, and after, and can refuse it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, FinishedImage, PartialImage, RequestFinished, RequestStarted, Storage
from flowdsl.cli.account import Account
from flowdsl.journal.journal import Journal
from flowdsl_steps.image.simulator import Simulator

PICTURE = (
    "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A boat\n  size: 1024x1024\n  quality: low\n"
)
TWO_REQUESTS = "- step: OPENAI_IMAGE_GENERATION\n  model: dall-e-3\n  instruction: A boat\n  n: 2\n"
CAUGHT = (
    "- step: TRY\n  try:\n"
    + "".join(f"  {line}\n" for line in PICTURE.splitlines())
    + "  catch:\n  - step: SET\n    caught: true\n"
)
SIDE_BY_SIDE = "- step: FOR\n  var: n\n  items: [1, 2, 3, 4, 5, 6]\n  concurrency: 2\n  do:\n" + "".join(
    f"  {line}\n" for line in PICTURE.splitlines()
)


class Refusal(Exception):
    """What a host raises."""


def environment(simulator: Simulator, folder: Path, **service: Any) -> Environment:
    entry = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key, **service}
    return Environment(
        services={"OPENAI_IMAGE_GENERATION": entry}, storage=Storage(images=folder), as_of=date(2026, 1, 1)
    )


def requests_of(events: list[flowdsl.Event]) -> list[RequestStarted | RequestFinished]:
    return [event for event in events if isinstance(event, (RequestStarted, RequestFinished))]


def refusing(events: list[flowdsl.Event], kind: type, error: Callable[[], Exception] = Refusal) -> flowdsl.OnEvent:
    def hear(event: flowdsl.Event) -> None:
        events.append(event)
        if isinstance(event, kind):
            raise error()

    return hear


def test_a_request_says_before_and_after_what_it_costs_and_which_it_is(tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []
    with Simulator() as simulator:
        result = environment(simulator, tmp_path).run(PICTURE, on_event=events.append)
    started, finished = requests_of(events)
    assert isinstance(started, RequestStarted) and isinstance(finished, RequestFinished)
    assert (started.service, started.vendor, started.model) == ("OPENAI_IMAGE_GENERATION", "openai", "gpt-image-2")
    assert (started.request, started.images, started.step) == (1, 1, "OPENAI_IMAGE_GENERATION")
    assert started.most_usd is not None and finished.cost_usd is not None
    assert 0 < finished.cost_usd <= started.most_usd and finished.cost_usd == result.cost_usd
    assert (finished.request, finished.outcome, finished.attempts, finished.code) == (1, "done", 1, None)
    assert finished.request_id and finished.usage and finished.usage["output_tokens"] > 0
    assert finished.images == tuple(result.images)


def test_a_request_that_may_be_sent_again_is_announced_with_all_that_it_may_cost(tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []
    with Simulator() as simulator:
        once = environment(simulator, tmp_path)
        again = environment(simulator, tmp_path, onUnknown="resend")
        for each in (once, again):
            each.run(PICTURE + "  maxRetries: 2\n", on_event=events.append)
    first, _, second, _ = requests_of(events)
    assert isinstance(first, RequestStarted) and isinstance(second, RequestStarted)
    assert first.most_usd and second.most_usd == pytest.approx(first.most_usd * 3)


@pytest.mark.parametrize("flow", [PICTURE, TWO_REQUESTS, CAUGHT], ids=["one", "two", "in TRY"])
@pytest.mark.parametrize(
    "error",
    [Refusal, lambda: flowdsl.StepError("too dear"), lambda: flowdsl.LimitExceeded("too dear")],
    ids=["its own", "a step error", "a limit"],
)
def test_a_host_that_refuses_a_request_ends_the_run_before_anything_is_sent(
    flow: str, error: Callable[[], Exception], tmp_path: Path
) -> None:
    events: list[flowdsl.Event] = []
    with Simulator() as simulator, pytest.raises(type(error())) as raised:
        environment(simulator, tmp_path).run(flow, on_event=refusing(events, RequestStarted, error))
    assert simulator.request_count == 0
    finished = events[-1]
    assert isinstance(finished, flowdsl.FlowFinished)
    assert (finished.status, finished.cost_usd, finished.in_doubt) == ("failed", 0.0, 0)
    if isinstance(raised.value, flowdsl.RunError):
        assert raised.value.result.made == () and not raised.value.charge_possible


def test_a_refusal_in_a_loop_side_by_side_sends_none_of_the_rest(tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []
    with Simulator() as simulator, pytest.raises(Refusal):
        environment(simulator, tmp_path).run(SIDE_BY_SIDE, on_event=refusing(events, RequestStarted))
    assert simulator.request_count == 0
    assert len(requests_of(events)) <= 2


def test_a_listener_that_fails_after_a_request_keeps_the_picture_and_its_cost(tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []
    with Simulator() as simulator, pytest.raises(Refusal):
        environment(simulator, tmp_path).run(PICTURE, on_event=refusing(events, RequestFinished))
    finished = events[-1]
    assert isinstance(finished, flowdsl.FlowFinished)
    assert len(finished.images) == 1 and finished.cost_usd and Path(finished.images[0]["path"]).exists()


@pytest.mark.parametrize("kind", [flowdsl.Progress, RequestFinished])
def test_a_listener_that_fails_after_a_purchase_does_not_lose_its_cost(kind: type, tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []
    with Simulator() as simulator, pytest.raises(Refusal):
        environment(simulator, tmp_path).run(PICTURE, on_event=refusing(events, kind))
    (_, request), finished = requests_of(events), events[-1]
    assert isinstance(request, RequestFinished) and isinstance(finished, flowdsl.FlowFinished)
    assert (request.outcome, request.images, finished.in_doubt) == ("done", finished.images, 0)
    assert finished.cost_usd and finished.cost_usd == request.cost_usd
    (line,) = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["images"]
    assert (line["model"], line["prompt"], line["cost_usd"]) == ("gpt-image-2", "A boat", finished.cost_usd)


def test_what_a_listener_raises_inside_a_step_is_not_blamed_on_the_step(tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []
    with Simulator() as simulator, pytest.raises(Refusal):
        environment(simulator, tmp_path).run(CAUGHT, on_event=refusing(events, flowdsl.Progress))


def test_a_request_that_was_refused_and_one_that_is_unknown_say_so(tmp_path: Path) -> None:
    outcomes = []
    for fault in ("content_policy", "reset"):
        events: list[flowdsl.Event] = []
        with Simulator(faults=[fault]) as simulator, pytest.raises(flowdsl.ServiceError) as raised:
            environment(simulator, tmp_path).run(PICTURE, on_event=events.append)
        finished = requests_of(events)[-1]
        assert isinstance(finished, RequestFinished)
        outcomes.append((finished.outcome, finished.code == raised.value.code, finished.cost_usd))
    assert outcomes == [("refused", True, None), ("unknown", True, None)]


def test_a_request_that_is_cancelled_on_its_way_is_unknown(tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []

    async def cancelled(simulator: Simulator) -> None:
        running = asyncio.ensure_future(environment(simulator, tmp_path).arun(PICTURE, on_event=events.append))
        while not simulator.request_count:  # noqa: ASYNC110  it is counted in another thread
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with Simulator(faults=["hang"]) as simulator:
        asyncio.run(cancelled(simulator))
    finished = requests_of(events)[-1]
    assert isinstance(finished, RequestFinished) and finished.outcome == "unknown"


def test_requests_are_logged_with_what_they_may_cost_and_did(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Simulator() as simulator, caplog.at_level(logging.INFO, "flowdsl"):
        environment(simulator, tmp_path).run(PICTURE)
    texts = [record.getMessage() for record in caplog.records]
    assert any(
        "sends request 1 to OPENAI_IMAGE_GENERATION: one picture of gpt-image-2, for at most $" in t for t in texts
    )
    assert any("request 1 is done in" in text and "request id" in text for text in texts)


def test_a_picture_of_a_request_of_its_own_is_told_when_that_is_in_the_ledger_and_before_the_others_are_there(
    tmp_path: Path,
) -> None:
    told: list[list[str]] = []
    with Simulator() as simulator, Journal(tmp_path / "state") as journal:

        def hear(event: flowdsl.Event) -> None:
            if isinstance(event, FinishedImage):
                assert isinstance(event.image, flowdsl.Image) and event.to_dict()["image"]["sha256"]
                told.append([each.state for each in journal.runs.requests(event.run)])

        one_by_one = environment(simulator, tmp_path, concurrency=1)
        one_by_one.run(TWO_REQUESTS, on_event=hear, journal=journal)
        one_by_one.run(PICTURE, on_event=hear, journal=journal)
    assert [states.count("ok") for states in told] == [1, 2]


STREAM = PICTURE + "  stream: true\n  partial_images: 2\n"


def test_partial_pictures_are_paid_for_and_come_as_stored_pictures(tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []
    with Simulator() as simulator:
        result = environment(simulator, tmp_path).run(STREAM, on_event=events.append)
    partials = [event for event in events if isinstance(event, PartialImage)]
    assert [(partial.request, partial.index) for partial in partials] == [(1, 0), (1, 1)]
    for partial in partials:
        assert isinstance(partial.image, flowdsl.Image)
        assert Path(partial.image.path).read_bytes() == partial.image.read()
        assert partial.to_dict()["image"]["sha256"] == partial.image.sha256
    assert [image.sha256 for image in result.made] == [image.sha256 for image in result.images]
    assert len(result.made) == 1 and len(json.loads((tmp_path / "manifest.json").read_text())["images"]) == 1


def test_partial_pictures_of_a_stream_that_breaks_off_are_there_nevertheless(tmp_path: Path) -> None:
    events: list[flowdsl.Event] = []
    with Simulator(faults=["stream_cut"]) as simulator, pytest.raises(flowdsl.ServiceError) as raised:
        environment(simulator, tmp_path).run(STREAM, on_event=events.append)
    assert [Path(event.image["path"]).exists() for event in events if isinstance(event, PartialImage)] == [True, True]
    assert raised.value.result.made == ()


def test_a_request_that_is_done_leaves_the_unfinished_picture_of_another_of_its_step_in_the_account() -> None:
    account = Account(simulated=False)
    step = flowdsl.StepStarted(
        run="r", at_s=0.0, id=1, parent=None, iteration=None, step="OPENAI_IMAGE_GENERATION", path="flow[0]", label=None
    )
    listen = account.hearing(lambda event: None)
    for request in (1, 2):
        image = {"path": f"{request}.png", "mime": "image/png"}
        listen(PartialImage(run="r", invocation=step, at_s=0.1, request=request, index=0, image=image))
    for request, outcome in ((1, "unknown"), (2, "done")):
        listen(
            RequestFinished(
                run="r", invocation=step, at_s=0.2, request=request, outcome=outcome, elapsed_s=0.1, attempts=1
            )
        )
    assert [image["path"] for image in account.to_json(None)["unfinished"]] == ["1.png"]
