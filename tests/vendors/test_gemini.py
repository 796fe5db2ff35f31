"""Google's Gemini API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import PICTURE_B64, running
from gemini_fake import KEY, GeminiFake
from vendor_bench import bought, told

from flowdsl.errors import ContentRefused, ServiceRefused, ServiceUnavailable
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Head
from flowdsl_steps.image.vendors import vendor_named

HOME = {"provider": "gemini", "apiKey": "k"}


@pytest.fixture
def fake() -> Iterator[GeminiFake]:
    with running(GeminiFake()) as server:
        yield server


def entry(fake: GeminiFake, **settings: Any) -> dict[str, Any]:
    return {"provider": "gemini", "endpoint": fake.url, "apiKey": KEY, "model": "gemini-3.1-flash-image", **settings}


def test_a_size_is_sent_as_its_ratio_and_tier(fake: GeminiFake, tmp_path: Path) -> None:
    bought(tmp_path, entry(fake), size="2752x1536", seed=7)
    assert fake.bodies == [
        {
            "contents": [{"role": "user", "parts": [{"text": "a lighthouse"}]}],
            "generationConfig": {
                "responseModalities": ["IMAGE"],
                "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
                "seed": 7,
            },
        }
    ]


def test_a_model_with_one_size_a_ratio_is_sent_no_tier(fake: GeminiFake, tmp_path: Path) -> None:
    bought(tmp_path, entry(fake, model="models/gemini-2.5-flash-image"), size="1344x768")
    assert fake.bodies[0]["generationConfig"]["imageConfig"] == {"aspectRatio": "16:9"}
    bought(tmp_path, entry(fake), size="auto")
    assert "imageConfig" not in fake.bodies[1]["generationConfig"]


def test_what_it_counts_is_told_and_priced(fake: GeminiFake, tmp_path: Path) -> None:
    about = bought(tmp_path, entry(fake), size="1024x1024")["object"]
    assert about["usage"] == {
        "input_tokens": 8,
        "output_tokens": 1130,
        "total_tokens": 1238,
        "output_tokens_details": {"image_tokens": 1120, "text_tokens": 10, "thought_tokens": 100},
    }
    assert about["cost"] == pytest.approx((8 * 0.5 + 1120 * 60 + 110 * 3) / 1e6)
    assert (about["requestId"], about["finishReason"]) == ("resp-1", "stop")


def test_drafts_of_its_thoughts_are_no_pictures(fake: GeminiFake, tmp_path: Path) -> None:
    assert len(bought(tmp_path, entry(fake))["imageList"]) == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name.startswith(".")] == []


def test_a_signature_of_thoughts_may_be_larger_than_a_picture(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.prepare()
    reader = vendor_named("gemini").decode(Head(200, {}), store, 64 * 1024 * 1024)
    part = {"inlineData": {"mimeType": "image/png", "data": PICTURE_B64}, "thoughtSignature": "QUJD" * 1_500_000}
    content = json.dumps({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}).encode()
    for start in range(0, len(content), 65536):
        reader.feed(content[start : start + 65536])
    assert [image.width for image in reader.finish().images if isinstance(image, Image)] == [61]
    reader.abort()
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".png"]


def test_several_pictures_are_several_requests(fake: GeminiFake, tmp_path: Path) -> None:
    assert len(bought(tmp_path, entry(fake), n=2)["imageList"]) == 2
    assert len(fake.asked) == 2


def test_a_blocked_prompt_is_refused_and_costs_nothing(fake: GeminiFake, tmp_path: Path) -> None:
    with pytest.raises(ContentRefused) as caught:
        bought(tmp_path, entry(fake), instruction="something forbidden")
    assert str(caught.value) == (
        "moderation of PICTURES refused the prompt (HARM_CATEGORY_DANGEROUS_CONTENT): "
        "the prompt is blocked: PROHIBITED_CONTENT"
    )
    assert (caught.value.charge_possible, caught.value.vendor_code) == (False, "PROHIBITED_CONTENT")


def test_a_picture_that_is_not_let_through_may_be_charged(fake: GeminiFake, tmp_path: Path) -> None:
    with pytest.raises(ContentRefused) as caught:
        bought(tmp_path, entry(fake), instruction="an unsafe picture", maxRetries=2)
    assert "refused the picture: Unable to show the generated image. [IMAGE_SAFETY]" in str(caught.value)
    assert (caught.value.charge_possible, len(fake.asked), caught.value.request_id) == (True, 1, "resp-1")


def test_a_response_in_words_is_no_picture_and_is_charged(fake: GeminiFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake, onUnknown="resend"), instruction="only words", maxRetries=2)
    assert str(caught.value) == "PICTURES made no picture: I cannot draw this."
    assert (caught.value.charge_possible, caught.value.vendor_code, len(fake.asked)) == (True, "STOP", 1)


def test_the_pause_that_an_error_asks_for_is_kept(fake: GeminiFake, tmp_path: Path) -> None:
    assert bought(tmp_path, entry(fake), instruction="busy", maxRetries=1)["object"]["attemptCount"] == 2


def test_a_quota_of_a_day_is_not_waited_for(fake: GeminiFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake), instruction="used up", maxRetries=2)
    assert (caught.value.code, len(fake.asked)) == ("quota-exceeded", 1)
    assert "You exceeded your current quota. [RESOURCE_EXHAUSTED]" in str(caught.value)


def test_a_model_that_is_overloaded_is_asked_again(fake: GeminiFake, tmp_path: Path) -> None:
    assert len(bought(tmp_path, entry(fake), instruction="overloaded", maxRetries=1)["imageList"]) == 1


def test_a_wrong_key_is_refused_without_showing_it(fake: GeminiFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake, apiKey="AIza-another-key-000"))
    assert "API key not valid" in str(caught.value)
    assert "AIza-another-key-000" not in str(caught.value)


def test_half_a_response_leaves_no_file(fake: GeminiFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        bought(tmp_path, entry(fake), instruction="cut short")
    assert caught.value.charge_possible
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (None, "https://generativelanguage.googleapis.com/v1beta/models/gemini-3-pro-image:generateContent"),
        ("https://gw.example/google/v1", "https://gw.example/google/v1/models/gemini-3-pro-image:generateContent"),
        (
            "https://gw.example/v1/models/gemini-2.5-flash-image:generateContent",
            "https://gw.example/v1/models/gemini-3-pro-image:generateContent",
        ),
    ],
    ids=["absent", "another version", "pasted whole"],
)
def test_an_endpoint_may_have_any_form_that_people_paste(endpoint: str | None, url: str) -> None:
    service = Service("G", {"apiKey": "k", "endpoint": endpoint})
    assert vendor_named("gemini").endpoint(service, ImageRequest(model="gemini-3-pro-image")).url == url


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"model": "gemini-3-pro-image", "size": "1536x1024"},
            (
                "unsupported-value",
                "error",
                "`gemini-3-pro-image` does not accept the size `1536x1024`: it is none of the model's sizes",
                "use `1264x848`; `flowdsl models gemini-3-pro-image` lists all 30",
            ),
        ),
        (
            {"model": "gemini-3-pro-image", "quality": "high"},
            ("unsupported-parameter", "error", "`gemini-3-pro-image` has no `quality`", "remove it"),
        ),
        (
            {"model": "gemini-3-pro-image", "seed": 7},
            (
                "unverified-option",
                "note",
                "whether `gemini-3-pro-image` accepts `seed` is not known; it is sent unchanged",
                None,
            ),
        ),
        (
            {"model": "gemini-3-pro-image", "n": 3},
            (
                "fan-out",
                "note",
                "`n: 3` is sent as 3 requests of one image: `gemini-3-pro-image` accepts no more in one",
                None,
            ),
        ),
        (
            {"model": "gemini-3-pro-image-preview"},
            (
                "retired-model",
                "error",
                "`gemini-3-pro-image-preview` was shut down by Google Gemini on 2026-06-25",
                "set `model: gemini-3-pro-image`",
            ),
        ),
        (
            {"model": "gemini-3-pro-imag"},
            (
                "unknown-model",
                "warning",
                "`gemini-3-pro-imag` is not a model that is known of Google Gemini: only general rules are checked",
                "did you mean `gemini-3-pro-image`?",
            ),
        ),
        (
            {},
            (
                "missing-key",
                "error",
                "`model` is missing: Google Gemini has no default model",
                "add `model: gemini-nano-banana-2.1`",
            ),
        ),
    ],
    ids=["size", "quality", "seed", "n", "retired", "unknown", "no model"],
)
def test_a_check_says_what_it_cannot_take(options: dict[str, Any], said: tuple[str, str, str, str | None]) -> None:
    assert told(HOME, **options) == [said]
