"""Hugging Face: its own inference, and the partners behind its router."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import running
from huggingface_fake import KEY, MODEL, NAMES, ROUTES, HuggingFaceFake
from vendor_bench import bought, told

import flowdsl
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named

EDGES = {"width": 1024, "height": 768, "seed": 7}
BODIES: dict[str, Any] = {
    "hf-inference": {"inputs": "a lighthouse", "parameters": EDGES},
    "fal-ai": {"prompt": "a lighthouse", "image_size": {"width": 1024, "height": 768}, "seed": 7},
    "together": {"prompt": "a lighthouse", "response_format": "base64", **EDGES, "model": NAMES["together"]},
    "nscale": {
        "prompt": "a lighthouse",
        "response_format": "b64_json",
        "model": NAMES["nscale"],
        "size": "1024x768",
        "seed": 7,
    },
    "replicate": {"input": {"prompt": "a lighthouse", **EDGES}},
    "wavespeed": {"prompt": "a lighthouse", **EDGES},
    "zai-org": {"model": "glm-image", "prompt": "a lighthouse", "size": "1024x768"},
}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[HuggingFaceFake]:
    monkeypatch.setattr("flowdsl_steps.image.vendors.huggingface._PAUSE_S", 0.0)
    with running(HuggingFaceFake()) as found:
        yield found


def entry(fake: HuggingFaceFake | None = None, partner: str | None = None, **settings: Any) -> dict[str, Any]:
    where = {} if fake is None else {"endpoint": fake.url}
    there = {} if partner is None else {"partner": partner, "partnerModel": NAMES.get(partner)}
    return {"provider": "huggingface", "apiKey": KEY, "model": MODEL, **where, **there, **settings}


@pytest.mark.parametrize("partner", sorted(ROUTES))
def test_each_partner_is_asked_in_its_own_words(partner: str, fake: HuggingFaceFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake, partner), size="1024x768", seed=7)
    assert [(image.width, image.height) for image in found["imageList"]] == [(61, 43)]
    assert fake.asked[0].path == ROUTES[partner]
    assert fake.bodies == [BODIES[partner]]
    assert fake.questions == (fake.polls + 1 if partner in ("wavespeed", "zai-org") else 0)


def test_a_partner_that_stops_waiting_is_asked_for_its_order(fake: HuggingFaceFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake, "replicate"), instruction="something slow")
    assert (len(found["imageList"]), found["object"]["requestId"]) == (1, "r-1")
    assert fake.questions == fake.polls + 1


@pytest.mark.parametrize(
    ("word", "kind", "charged", "retryable", "said"),
    [
        ("crowded", flowdsl.ServiceRateLimited, False, True, "PICTURES had too many requests (429): You have reached"),
        ("cold", flowdsl.ServiceUnavailable, False, True, "PICTURES is overloaded (503): Model black-forest-labs"),
        ("penniless", flowdsl.ServiceRefused, False, False, "PICTURES has no quota left (402): You have exceeded"),
        ("malformed", flowdsl.ServiceRefused, False, False, "PICTURES refused the request (422): Input should be"),
        ("broken", flowdsl.ServiceUnavailable, True, False, "PICTURES failed with status 500: Internal Server Error"),
    ],
)
def test_its_errors_are_told(
    word: str,
    kind: type[flowdsl.ServiceError],
    charged: bool,
    retryable: bool,
    said: str,
    fake: HuggingFaceFake,
    tmp_path: Path,
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert (caught.value.charge_possible, caught.value.retryable) == (charged, retryable)


@pytest.mark.parametrize(
    ("partner", "word", "kind", "said"),
    [
        ("fal-ai", "indecent", flowdsl.ContentRefused, "moderation of PICTURES refused the picture: the picture was"),
        ("replicate", "indecent", flowdsl.ContentRefused, "moderation of PICTURES refused the picture: NSFW content"),
        ("replicate", "doomed", flowdsl.ServiceUnavailable, "PICTURES sent an unusable response: the picture is not"),
        ("wavespeed", "doomed", flowdsl.ServiceUnavailable, "PICTURES sent an unusable response: the picture is not"),
    ],
)
def test_a_picture_that_is_not_shown_may_be_charged(
    partner: str, word: str, kind: type[flowdsl.ServiceError], said: str, fake: HuggingFaceFake, tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake, partner), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert caught.value.charge_possible


def test_what_a_partner_calls_the_model_must_be_said() -> None:
    """By the check already, in the same words; what it says to write is all that lacks."""
    settings = {"provider": "huggingface", "apiKey": KEY, "model": MODEL, "partner": "fal-ai"}
    said = f"PICTURES has no `partnerModel`, and fal-ai has a name of its own for {MODEL}"
    hint = (
        "add `partnerModel` to the service, with the `providerId` of fal-ai that stands at "
        f"https://huggingface.co/api/models/{MODEL}?expand=inferenceProviderMapping"
    )
    assert told(settings) == [("missing-key", "error", said, hint)]
    with pytest.raises(flowdsl.ConfigError) as caught:
        vendor_named("huggingface").endpoint(Service("PICTURES", settings), ImageRequest())
    assert (str(caught.value), caught.value.hint) == (f"Service not configured: {said}", hint)
    assert told({**settings, "partnerModel": NAMES["fal-ai"]}) == []


def test_a_name_that_the_catalogue_has_need_not_be_said() -> None:
    settings = {"provider": "huggingface", "apiKey": KEY, "model": "black-forest-labs/FLUX.1-dev", "partner": "fal-ai"}
    assert told(settings) == []
    endpoint = vendor_named("huggingface").endpoint(Service("PICTURES", settings), ImageRequest())
    assert endpoint.url == "https://router.huggingface.co/fal-ai/fal-ai/flux/dev"


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, f"https://router.huggingface.co/hf-inference/models/{MODEL}"),
        (
            {"endpoint": "https://router.huggingface.co/v1"},
            f"https://router.huggingface.co/hf-inference/models/{MODEL}",
        ),
        (
            {"endpoint": "https://mine.us-east-1.aws.endpoints.huggingface.cloud"},
            "https://mine.us-east-1.aws.endpoints.huggingface.cloud/",
        ),
        (
            {"partner": "replicate", "partnerModel": "stability-ai/sdxl:39ed52f2"},
            "https://router.huggingface.co/replicate/v1/predictions",
        ),
    ],
)
def test_where_a_request_goes(settings: dict[str, Any], url: str) -> None:
    service = Service("PICTURES", {"apiKey": KEY, "model": MODEL, **settings})
    found = vendor_named("huggingface").endpoint(service, ImageRequest())
    assert (found.url, found.headers["Authorization"]) == (url, f"Bearer {KEY}")
    assert bool(found.notes) is settings.get("endpoint", "").endswith("/v1")


def test_what_it_cannot_take_is_told_at_check() -> None:
    assert told(entry(partner="someone")) == [
        (
            "not-a-choice",
            "error",
            "`partner` is `someone`, which is not one of hf-inference, fal-ai, together, nscale, replicate, wavespeed, "
            "zai-org",
            None,
        )
    ]
    assert told(entry(), size="1024*768", quality="high") == [
        (
            "unsupported-value",
            "error",
            f"`{MODEL}` does not accept the size `1024*768`: it is not WIDTHxHEIGHT",
            "write `1024x768`",
        ),
        ("unsupported-parameter", "error", f"`{MODEL}` has no `quality`", "remove it"),
    ]
    assert told(entry(partner="zai-org"), seed=7)[0][2] == (
        "`seed` is not sent: zai-org has no such parameter, so results are not reproducible"
    )
