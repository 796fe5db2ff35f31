"""LocalAI and Ollama: servers of one's own, which cost nothing a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_vendor import running
from localai_fake import KEY, LocalAIFake
from ollama_fake import OllamaFake
from vendor_bench import bought, told

from flowdsl.errors import ServiceRefused
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named


def localai(fake: LocalAIFake, **settings: Any) -> dict[str, Any]:
    return {"provider": "localai", "endpoint": fake.url, "apiKey": KEY, "model": "flux.1-schnell", **settings}


def ollama(fake: OllamaFake, **settings: Any) -> dict[str, Any]:
    return {"provider": "ollama", "endpoint": fake.url, "model": "x/z-image-turbo", **settings}


def test_localai_sends_the_picture_within_the_response(tmp_path: Path) -> None:
    with running(LocalAIFake()) as fake:
        found = bought(tmp_path, localai(fake), size="512x768", n=2, seed=3)
    assert fake.bodies == [
        {
            "model": "flux.1-schnell",
            "prompt": "a lighthouse",
            "response_format": "b64_json",
            "size": "512x768",
            "seed": 3,
            "n": 2,
        }
    ]
    assert len(found["imageList"]) == 2
    assert (found["object"].get("usage"), found["object"]["cost"]) == (None, 0.0)


def test_localai_sends_its_address_where_that_is_asked_for(tmp_path: Path) -> None:
    with running(LocalAIFake()) as fake:
        [image] = bought(tmp_path, localai(fake), response_format="url")["imageList"]
    assert (image.width, image.height) == (61, 43)
    assert [asked.path for asked in fake.asked][1:] == ["/generated-images/b641.png"]
    assert "authorization" not in fake.asked[1].headers


def test_ollama_is_sent_edges_and_a_seed(tmp_path: Path) -> None:
    with running(OllamaFake()) as fake:
        about = bought(tmp_path, ollama(fake), size="768x512", seed=42)["object"]
    assert fake.bodies == [
        {
            "model": "x/z-image-turbo",
            "prompt": "a lighthouse",
            "stream": False,
            "width": 768,
            "height": 512,
            "options": {"seed": 42},
        }
    ]
    assert (about["usage"], about["cost"]) == ({"input_tokens": 12}, 0.0)


def test_an_ollama_that_draws_no_more_says_which_does(tmp_path: Path) -> None:
    with running(OllamaFake()) as fake, pytest.raises(ServiceRefused) as caught:
        fake.draws = False
        bought(tmp_path, ollama(fake), maxRetries=2)
    assert str(caught.value) == (
        "PICTURES refused the request (400): image generation models are not currently supported; "
        "Ollama draws from 0.14.3 to 0.32.5 only: ask a server of these, or another vendor, such as `localai`"
    )
    assert len(fake.asked) == 1


def test_a_model_of_ollama_that_writes_draws_nothing(tmp_path: Path) -> None:
    with running(OllamaFake()) as fake, pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, ollama(fake, model="llama3.2"))
    assert str(caught.value) == "PICTURES made no picture: the model writes text, and draws nothing"
    assert not caught.value.charge_possible


def test_a_model_that_is_not_pulled_is_told_with_the_command(tmp_path: Path) -> None:
    with running(OllamaFake()) as fake, pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, ollama(fake, model="missing"))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("run `ollama pull missing` on the server")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "http://localhost:11434/api/generate"),
        ("box.lan", "http://box.lan:11434/api/generate"),
        ("box.lan:9000", "http://box.lan:9000/api/generate"),
        ("https://ollama.example/prefix/", "https://ollama.example/prefix/api/generate"),
        ("http://box.lan:11434/v1", "http://box.lan:11434/api/generate"),
    ],
    ids=["absent", "host", "host and port", "prefix", "OpenAI's form"],
)
def test_ollamas_host_is_read_as_its_own_client_reads_it(host: str | None, url: str) -> None:
    service = Service("O", {"endpoint": host})
    assert vendor_named("ollama").endpoint(service, ImageRequest(model="m")).url == url


def test_what_they_do_not_have_is_an_error_of_the_check() -> None:
    entry = {"provider": "ollama", "model": "x/z-image-turbo"}
    assert [code for code, *_ in told(entry, quality="high", output_format="png")] == ["unsupported-parameter"] * 2
    assert told({"provider": "localai", "model": "anything-at-all"}) == []
    assert told({**entry, "model": "x/z-image-turbo:latest"}) == []
    assert [code for code, *_ in told({"provider": "localai"})] == ["missing-key"]
