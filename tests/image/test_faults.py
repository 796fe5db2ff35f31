from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from image_bench import Bench
from web_server import refusing

from flowdsl.errors import (
    ContentRefused,
    ServiceError,
    ServiceRateLimited,
    ServiceRefused,
    ServiceTimeout,
    ServiceUnavailable,
)
from flowdsl.image.image import Image
from flowdsl_steps.image.simulator import Fault, Simulator

NEVER, UNKNOWN, RETRY = 1, 1, 3
CLASSES = [
    ("rate_limit", ServiceRateLimited, RETRY, False),
    ("slow_down", ServiceRateLimited, RETRY, False),
    ("overloaded", ServiceUnavailable, RETRY, False),
    ("quota", ServiceRefused, NEVER, False),
    ("billing_hard_limit", ServiceRefused, NEVER, False),
    ("auth", ServiceRefused, NEVER, False),
    ("forbidden", ServiceRefused, NEVER, False),
    ("moderation", ContentRefused, NEVER, False),
    ("content_policy", ContentRefused, NEVER, False),
    ("content_policy_innererror", ContentRefused, NEVER, False),
    ("content_filter", ContentRefused, NEVER, False),
    ("server_error", ServiceUnavailable, UNKNOWN, True),
    ("bad_gateway", ServiceUnavailable, UNKNOWN, True),
    ("gateway_timeout", ServiceTimeout, UNKNOWN, True),
    ("html_error", ServiceUnavailable, UNKNOWN, True),
    ("conflict", ServiceUnavailable, UNKNOWN, True),
    ("timeout408", ServiceTimeout, UNKNOWN, True),
    ("reset_before_body", ServiceUnavailable, UNKNOWN, True),
    ("reset", ServiceUnavailable, UNKNOWN, True),
    ("truncated_json", ServiceUnavailable, UNKNOWN, True),
    ("bad_base64", ServiceUnavailable, UNKNOWN, True),
    ("empty_data", ServiceUnavailable, UNKNOWN, True),
]


def failed(bench: Bench, **options: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        bench.run(**options)
    assert bench.leftovers() == []
    return caught.value


@pytest.mark.parametrize(("fault", "kind", "requests", "charge"), CLASSES)
def test_a_fault_ends_as_its_class_says(
    fault: str, kind: type, requests: int, charge: bool, bench: Bench, simulator: Simulator
) -> None:
    simulator.faults.add(Fault(fault, times=9, retry_after="10ms" if requests == RETRY else None))
    error = failed(bench)
    assert type(error) is kind
    assert simulator.request_count == error.attempts == requests
    assert error.charge_possible is charge
    assert bench.ground.spent == ([None] if charge else [])
    assert simulator.key not in f"{error} {error.hint} {error.details} {error!r}"


@pytest.mark.parametrize(("fault", "requests"), [("stream_error", 1), ("stream_cut", 1), ("rate_limit", 3)])
def test_a_stream_fails_by_the_same_classes(fault: str, requests: int, bench: Bench, simulator: Simulator) -> None:
    simulator.faults.add(Fault(fault, times=9, retry_after="10ms"))
    error = failed(bench, stream=True, partial_images=1)
    assert simulator.request_count == error.attempts == requests
    assert error.charge_possible is (fault != "rate_limit")


@pytest.mark.long
def test_a_hang_after_sending_is_never_resent(bench: Bench, simulator: Simulator) -> None:
    simulator.faults.add(Fault("hang", times=9))
    error = failed(bench, timeoutMs=1000)
    assert type(error) is ServiceTimeout
    assert str(error) == (
        "PICTURES did not finish its response within 1 s; "
        "the request was sent, so the work may have been done and billed"
    )
    assert (simulator.request_count, error.charge_possible, error.retryable) == (1, True, False)


@pytest.mark.long
@pytest.mark.parametrize("fault", ["server_error", "reset", "empty_data"])
def test_what_is_unknown_is_resent_when_the_service_says_so(fault: str, bench: Bench, simulator: Simulator) -> None:
    bench.service.settings["onUnknown"] = "resend"
    simulator.faults.add(Fault(fault, times=9))
    error = failed(bench, maxRetries=1)
    assert (simulator.request_count, error.attempts, error.charge_possible) == (2, 2, True)


def test_a_refusal_is_retried_after_the_pause_the_server_asks_for(bench: Bench, simulator: Simulator) -> None:
    simulator.faults.add(Fault("rate_limit", retry_after="80ms"))
    found = bench.run()
    assert found["object"]["attemptCount"] == simulator.request_count == 2
    first, second = (request.time for request in simulator.requests)
    assert second - first >= 0.08
    ((code, text),) = bench.ground.notes
    assert code == "retry"
    assert text.endswith("; sent again in 0.1 s")


def test_a_pause_of_an_hour_is_not_waited_for(bench: Bench, simulator: Simulator) -> None:
    simulator.faults.add(Fault("rate_limit", times=9, retry_after="3600"))
    assert failed(bench).retryable
    assert simulator.request_count == 1


@pytest.mark.parametrize("retries", [0, -3])
def test_without_retries_one_request_is_sent(retries: int, bench: Bench, simulator: Simulator) -> None:
    simulator.faults.add(Fault("overloaded", times=9))
    assert failed(bench, maxRetries=retries).attempts == simulator.request_count == 1


def test_a_refused_connection_is_retried_and_costs_nothing(tmp_path: Path) -> None:
    with refusing() as endpoint:
        bench = Bench(tmp_path, {"provider": "openai", "endpoint": endpoint, "apiKey": "none-needed"})
        error = failed(bench, maxRetries=1)
    assert (type(error), error.attempts, error.charge_possible) == (ServiceUnavailable, 2, False)
    where = endpoint.removeprefix("http://")
    assert str(error) == f"PICTURES cannot be reached at {where}: Connection refused"
    assert bench.ground.spent == []


def test_pictures_that_were_bought_are_in_the_details_when_a_later_request_fails(
    bench: Bench, simulator: Simulator
) -> None:
    simulator.faults.add(Fault("none", times=2), Fault("moderation"))
    bench.service.settings["concurrency"] = 1
    error = failed(bench, model="dall-e-3", n=3)
    images = error.details["images"]
    assert isinstance(images, list)
    assert len(images) == 2
    assert all(isinstance(image, Image) and Path(image.path).is_file() for image in images)
    assert (type(error), error.attempts) == (ContentRefused, 3)
    assert bench.ground.spent == [0.04, 0.04]


def test_an_address_that_redirects_is_not_followed(bench: Bench, simulator: Simulator) -> None:
    simulator.faults.add(Fault("redirect", location="http://127.0.0.1:9/secret"))
    error = failed(bench, model="dall-e-3")
    assert error.code == "image-not-fetched"
    assert "redirects" in str(error)
    assert error.charge_possible
    assert simulator.request_count == 1


def _until_asked(simulator: Simulator) -> None:
    deadline = time.monotonic() + 20
    while not simulator.request_count:
        assert time.monotonic() < deadline, "no request came"
        time.sleep(0.005)


@pytest.mark.parametrize("fault", ["hang", "slow"])
def test_cancelling_leaves_no_file_and_no_connection(fault: str, bench: Bench, simulator: Simulator) -> None:
    simulator.faults.add(Fault(fault, delay_s=30.0 if fault == "slow" else None))

    async def cancelled() -> None:
        task = asyncio.create_task(bench.arun())
        await asyncio.to_thread(_until_asked, simulator)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert bench.leftovers() == []


def test_the_key_never_shows_when_the_vendor_repeats_it(bench: Bench, simulator: Simulator) -> None:
    bench.service.settings["apiKey"] = "sk-wrong-key-0123456789"
    error = failed(bench)
    assert type(error) is ServiceRefused
    assert error.hint == "check the key: it is `apiKey` from the service PICTURES"
    assert "wrong-key" not in f"{error} {error.details} {error.__cause__!r}"
