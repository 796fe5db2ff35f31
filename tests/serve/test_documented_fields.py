"""The 14 fields that the API documents, one by one: each reaches the service as it is, is answered by the gateway
itself, or is refused before anything is bought."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from gateways import SMALL, Running

from flowdsl.image.formats import media_type
from flowdsl.serve.fields import FIELDS

ABSENT = object()
STREAM = {"stream": True}
JPEG = {"output_format": "jpeg"}
REACHES: list[tuple[str, Any, dict[str, Any]]] = [
    ("prompt", "Ein roter Drachen ☃ {{ 1 }}", {}),
    ("background", "opaque", {}),
    ("background", "auto", {}),
    ("model", "gpt-image-2-2026-04-21", {}),
    ("model", "gpt-image-1.5", {}),
    ("moderation", "low", {}),
    ("moderation", "auto", {}),
    ("n", 2, {}),
    ("n", 10, {}),
    ("output_compression", 0, JPEG),
    ("output_compression", 100, JPEG),
    ("output_format", "png", {}),
    ("output_format", "jpeg", {}),
    ("output_format", "webp", {}),
    ("partial_images", 0, STREAM),
    ("partial_images", 3, STREAM),
    ("quality", "low", {}),
    ("quality", "high", {}),
    ("size", "1536x1024", {}),
    ("size", "2048x1152", {}),
    ("stream", True, {}),
    ("user", "customer-17", {}),
]
"""A field, its value, and what stands beside it: all of it is what the service is asked."""
REFUSED: list[tuple[str, Any]] = [
    ("prompt", ""),
    ("prompt", None),
    ("background", "purple"),
    ("model", "gpt-imag-2"),
    ("model", None),
    ("moderation", "none"),
    ("n", 0),
    ("n", 11),
    ("n", 1.5),
    ("output_compression", 123),
    ("output_compression", -1),
    ("output_format", "bmp"),
    ("partial_images", 4),
    ("partial_images", -1),
    ("quality", "best"),
    ("response_format", "blob"),
    ("size", "8x8"),
    ("size", "large"),
    ("stream", "yes"),
    ("style", "vivid"),
    ("user", ["customer-17"]),
]


@pytest.mark.parametrize("field, value, beside", REACHES)
def test_a_field_reaches_the_service_as_it_is(gateway: Running, field: str, value: Any, beside: dict[str, Any]) -> None:
    before = gateway.bought
    found = gateway.post({"prompt": "A kite", **SMALL, **beside, field: value}, "/api/llm/images/generations")
    assert found.status_code == 200, found.text
    assert gateway.bought == before + 1
    sent = gateway.simulator.requests[-1].json
    usual = {"partial_images": 0, "stream": False}.get(field, ABSENT)
    assert sent.get(field, usual) == value
    assert "response_format" not in sent  # which this model does not have


@pytest.mark.parametrize("field, value", REFUSED)
def test_a_field_that_does_not_fit_is_refused_and_nothing_is_bought(gateway: Running, field: str, value: Any) -> None:
    before = gateway.bought
    found = gateway.post({"prompt": "A kite", **SMALL, **JPEG, field: value}, "/api/llm/images/generations")
    error = found.json()["error"]
    assert (found.status_code, error["type"], error["param"]) == (
        404 if value == "gpt-imag-2" else 400,
        "invalid_request_error",
        field,
    )
    assert gateway.bought == before


@pytest.mark.parametrize("field", sorted(FIELDS.keys() - {"model", "prompt"}))
def test_a_field_that_is_null_is_as_one_that_is_absent(gateway: Running, field: str) -> None:
    assert gateway.post({"prompt": "A kite", **SMALL, field: None}).status_code == 200
    sent = gateway.simulator.requests[-1].json
    gateway.post({name: each for name, each in {"prompt": "A kite", **SMALL}.items() if name != field})
    assert gateway.simulator.requests[-1].json == sent


@pytest.mark.parametrize("path, usual", [("/v1", "b64_json"), ("/api/llm", "url")])
@pytest.mark.parametrize("said", [None, "url", "b64_json"])
def test_pictures_come_in_the_form_that_is_asked_for(gateway: Running, path: str, usual: str, said: str | None) -> None:
    body = {"prompt": "A kite", **SMALL, **({} if said is None else {"response_format": said})}
    (found,) = gateway.post(body, f"{path}/images/generations").json()["data"]
    assert found.keys() == {said or usual}
    picture = httpx.get(found["url"]).content if "url" in found else base64.b64decode(found["b64_json"])
    assert media_type(picture) == "image/png"


def test_every_documented_field_has_its_cases() -> None:
    own = {"response_format"}  # which the gateway answers itself
    assert {field for field, *_ in REACHES} | own | {"style"} == set(FIELDS)
    assert {field for field, _ in REFUSED} == set(FIELDS)
