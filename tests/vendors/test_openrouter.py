"""OpenRouter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import running
from openrouter_fake import KEY, OpenRouterFake
from vendor_bench import bought, told

from flowdsl.errors import ContentRefused, ServiceRefused, ServiceUnavailable
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named


@pytest.fixture
def fake() -> Iterator[OpenRouterFake]:
    with running(OpenRouterFake()) as server:
        yield server


def entry(fake: OpenRouterFake, **settings: Any) -> dict[str, Any]:
    return {
        "provider": "openrouter",
        "endpoint": fake.url,
        "apiKey": KEY,
        "model": "google/gemini-nano-banana-2.1",
        **settings,
    }


def test_every_option_that_it_has_goes_out(fake: OpenRouterFake, tmp_path: Path) -> None:
    options = {"quality": "high", "background": "opaque", "output_format": "webp", "output_compression": 80}
    bought(tmp_path, entry(fake), size="1536x1024", user="u1", **options)
    assert fake.bodies == [
        {
            "model": "google/gemini-nano-banana-2.1",
            "prompt": "a lighthouse",
            "size": "1536x1024",
            "user": "u1",
            **options,
        }
    ]


def test_what_a_picture_cost_is_what_the_response_says(fake: OpenRouterFake, tmp_path: Path) -> None:
    about = bought(tmp_path, entry(fake))["object"]
    assert about["cost"] == 0.0387243
    assert about["usage"] == {
        "input_tokens": 6,
        "output_tokens": 1299,
        "total_tokens": 1305,
        "output_tokens_details": {"image_tokens": 1290},
    }


def test_moderation_names_its_reasons(fake: OpenRouterFake, tmp_path: Path) -> None:
    with pytest.raises(ContentRefused) as caught:
        bought(tmp_path, entry(fake), instruction="something forbidden")
    assert "refused the prompt (violence): Your input was flagged" in str(caught.value)
    assert not caught.value.charge_possible


def test_what_the_vendor_behind_it_refuses_is_told_in_its_words(fake: OpenRouterFake, tmp_path: Path) -> None:
    with pytest.raises(ContentRefused) as caught:
        bought(tmp_path, entry(fake), instruction="upstream refuses")
    assert "Provider returned error; OpenAI says: " in str(caught.value)
    assert caught.value.vendor_code == "moderation_blocked"


def test_an_account_without_credit_is_not_asked_again(fake: OpenRouterFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake), instruction="no credit", maxRetries=2)
    assert (caught.value.code, len(fake.asked)) == ("quota-exceeded", 1)


def test_an_error_within_a_success_may_be_charged(fake: OpenRouterFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        bought(tmp_path, entry(fake), instruction="fails late", maxRetries=2)
    assert (caught.value.charge_possible, len(fake.asked)) == (True, 1)
    assert "The provider disconnected" in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (None, "https://openrouter.ai/api/v1/images"),
        ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1/images"),
        ("https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api/v1/images"),
        ("https://openrouter.ai/api/v1/images/generations", "https://openrouter.ai/api/v1/images"),
    ],
    ids=["absent", "documented", "chat", "OpenAI's operation"],
)
def test_an_endpoint_may_have_any_form_that_people_paste(endpoint: str | None, url: str) -> None:
    service = Service("R", {"apiKey": "k", "endpoint": endpoint})
    assert vendor_named("openrouter").endpoint(service, ImageRequest(model="a/b")).url == url


def test_a_check_says_what_it_cannot_take() -> None:
    home = {"provider": "openrouter", "apiKey": "k", "model": "google/gemini-nano-banana-2.1"}
    name = "`google/gemini-nano-banana-2.1`"
    assert sorted(found[:1] + found[2:] for found in told(home, quality="hd", style="vivid", n=2)) == [
        ("fan-out", f"`n: 2` is sent as 2 requests of one image: {name} accepts no more in one", None),
        ("unsupported-parameter", f"{name} has no `style`", "describe the style in the prompt"),
        (
            "unsupported-value",
            f"{name} does not accept `hd` as `quality`",
            "supported: `auto`, `low`, `medium`, `high`, `xhigh` or `max`",
        ),
    ]
    assert told({**home, "model": "some-vendor/some-model"}) == []
