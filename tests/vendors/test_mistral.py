"""Mistral AI: a conversation with the tool that draws, and the files that it made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import running
from mistral_fake import AGENT, KEY, MistralFake
from vendor_bench import bought, told

import flowdsl
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named

TASK = "Draw the picture that the user describes with the image generation tool. Ask nothing back."


@pytest.fixture
def fake() -> Iterator[MistralFake]:
    with running(MistralFake()) as found:
        yield found


def entry(fake: MistralFake | None = None, **settings: Any) -> dict[str, Any]:
    where = {} if fake is None else {"endpoint": fake.url}
    return {"provider": "mistral", "apiKey": KEY, "model": "mistral-medium-latest", **where, **settings}


def test_a_file_is_fetched_and_the_usage_of_its_conversation_is_kept(fake: MistralFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake))
    assert [(image.width, image.height) for image in found["imageList"]] == [(61, 43)]
    assert [(each.method, each.path) for each in fake.asked] == [
        ("POST", "/v1/conversations"),
        ("GET", "/v1/files/file-1/content"),
    ]
    assert fake.bodies == [
        {
            "model": "mistral-medium-latest",
            "tools": [{"type": "image_generation"}],
            "instructions": TASK,
            "inputs": "a lighthouse",
            "stream": False,
        }
    ]
    about = found["object"]
    assert about["usage"] == {"input_tokens": 129, "output_tokens": 94, "total_tokens": 292}
    assert (about["requestId"], about["finishReason"]) == ("conv_1", "stop")


def test_every_file_that_a_turn_made_is_fetched(fake: MistralFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake), instruction="two boats")
    assert len(found["imageList"]) == 2
    assert found["object"]["usage"]["total_tokens"] == 292


def test_an_agent_needs_no_model(fake: MistralFake, tmp_path: Path) -> None:
    settings = {**entry(fake, agentId=AGENT), "model": None}
    assert len(bought(tmp_path, settings)["imageList"]) == 1
    assert fake.bodies == [{"agent_id": AGENT, "inputs": "a lighthouse", "stream": False}]
    assert told({key: value for key, value in settings.items() if value is not None}) == []


def test_a_model_that_only_talks_is_told_with_what_it_says_and_was_paid(fake: MistralFake, tmp_path: Path) -> None:
    with pytest.raises(flowdsl.ServiceRefused) as caught:
        bought(tmp_path, entry(fake), instruction="talk to me", maxRetries=2)
    assert str(caught.value) == "PICTURES made no picture: I would rather talk about it."
    assert (caught.value.charge_possible, caught.value.attempts) == (True, 1)


def test_a_picture_that_came_before_a_file_was_lost_is_kept(fake: MistralFake, tmp_path: Path) -> None:
    with pytest.raises(flowdsl.ServiceError) as caught:
        bought(tmp_path, entry(fake), instruction="half of it")
    assert len(caught.value.details["images"]) == 1
    assert (caught.value.charge_possible, caught.value.request_id) == (True, "conv_1")
    assert f"{fake.url}/v1/files/file-lost/content" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("word", "kind", "charged", "said"),
    [
        ("crowded", flowdsl.ServiceRateLimited, False, "PICTURES had too many requests (429): Rate limit exceeded"),
        ("malformed", flowdsl.ServiceRefused, False, "PICTURES refused the request (422): String too short"),
        ("broken", flowdsl.ServiceUnavailable, True, "PICTURES failed with status 500: Service unavailable"),
    ],
)
def test_its_errors_are_told(
    word: str, kind: type[flowdsl.ServiceError], charged: bool, said: str, fake: MistralFake, tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert caught.value.charge_possible is charged


def test_what_is_invalid_is_told_with_its_place(fake: MistralFake, tmp_path: Path) -> None:
    with pytest.raises(flowdsl.ServiceRefused) as caught:
        bought(tmp_path, entry(fake), instruction="malformed")
    assert caught.value.details["param"] == "body.inputs"


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (None, "https://api.mistral.ai/v1/conversations"),
        ("https://api.eu.mistral.ai/v1/", "https://api.eu.mistral.ai/v1/conversations"),
        ("https://api.mistral.ai/v1/chat/completions", "https://api.mistral.ai/v1/conversations"),
        ("https://proxy.example/mistral/v1", "https://proxy.example/mistral/v1/conversations"),
    ],
)
def test_an_endpoint_is_taken_in_every_form_that_people_paste(endpoint: str | None, url: str) -> None:
    settings = {"apiKey": KEY, "model": "mistral-medium-latest", **({"endpoint": endpoint} if endpoint else {})}
    assert vendor_named("mistral").endpoint(Service("PICTURES", settings), ImageRequest()).url == url


def test_what_it_cannot_take_is_told_at_check() -> None:
    assert told(entry(), size="1024x1024", quality="high", n=2) == [
        (
            "unsupported-parameter",
            "error",
            "`mistral-medium-latest` has no `size`",
            "remove it, and say in the prompt what the size should be like",
        ),
        (
            "unsupported-parameter",
            "error",
            "`mistral-medium-latest` has no `quality`",
            "remove it, and say in the prompt what the quality should be like",
        ),
        (
            "fan-out",
            "note",
            "`n: 2` is sent as 2 requests of one image: `mistral-medium-latest` accepts no more in one",
            None,
        ),
    ]
