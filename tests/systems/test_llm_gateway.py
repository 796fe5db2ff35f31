"""The images API of an LLM gateway: every field of its page is sent as it is, and both ways of delivery are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_gateway import FIELDS, KEY, Gateway, gateway, picture

import flowdsl
from flowdsl import Environment, Source, Storage
from flowdsl.cli import main
from flowdsl.errors import ServiceRefused
from flowdsl.events import PartialImage

MODEL = "openai-main/gpt-image-2"
VALUES: dict[str, Any] = {
    "prompt": "A lighthouse",
    "model": MODEL,
    "background": "opaque",
    "moderation": "low",
    "n": 2,
    "output_compression": 40,
    "output_format": "webp",
    "partial_images": 2,
    "quality": "low",
    "response_format": "b64_json",
    "size": "1024x1024",
    "stream": True,
    "style": "vivid",
    "user": "u1",
}
"""Body field → a value that says something."""


@pytest.fixture
def server() -> Iterator[Gateway]:
    with gateway() as running:
        yield running


def run(server: Gateway, folder: Path, key: str = KEY, endpoint: str | None = None, **options: Any) -> flowdsl.Result:
    step = {"step": "OPENAI_IMAGE_GENERATION", "service": "GATEWAY", "model": MODEL, "instruction": "A lighthouse"}
    entry = {"provider": "openai", "endpoint": endpoint or server.endpoint, "apiKey": key, "limits": "api"}
    flow = json.dumps({"services": {"GATEWAY": entry}, "flow": [{**step, **options}]})
    return Environment(storage=Storage(images=folder)).run(Source(flow))


def test_the_fields_are_those_of_the_page() -> None:
    assert len(FIELDS) == 14
    assert set(VALUES) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_the_page_is_sent_as_it_is(name: str, server: Gateway, tmp_path: Path) -> None:
    beside = {"output_compression": ("output_format",), "partial_images": ("stream",)}.get(name, ())
    given = {key: VALUES[key] for key in (name, *beside) if key not in ("prompt", "model")}
    run(server, tmp_path, **given)
    assert server.bodies == [{"prompt": "A lighthouse", "model": MODEL, **given}]


def test_the_request_of_the_page_holds_all_that_go_together(server: Gateway, tmp_path: Path) -> None:
    """`style` and `response_format` are of models that have no `output_format` and no `background`."""
    newer = [name for name in VALUES if name not in ("style", "response_format", "prompt", "model")]
    older = ["style", "response_format", "quality", "size", "user", "n"]
    for names in (newer, older):
        run(server, tmp_path, **{name: VALUES[name] for name in names})
    assert {name for body in server.bodies for name in body} == set(FIELDS)


def test_what_nobody_gives_is_not_sent(server: Gateway, tmp_path: Path) -> None:
    run(server, tmp_path)
    assert server.bodies == [{"prompt": "A lighthouse", "model": MODEL}]


def test_links_are_fetched_at_once_without_the_token(server: Gateway, tmp_path: Path) -> None:
    found = run(server, tmp_path, n=2)
    assert sorted(server.fetched) == ["/files/0.png", "/files/1.png"]
    assert [image.read() for image in found.images] == [picture(0), picture(1)]
    assert [image.revised_prompt for image in found.images] == ["revised"] * 2


def test_bytes_are_stored_as_they_came(server: Gateway, tmp_path: Path) -> None:
    found = run(server, tmp_path, n=10, response_format="b64_json")
    assert (len(found.images), server.fetched) == (10, [])


def test_a_stream_shows_its_partial_images(server: Gateway, tmp_path: Path) -> None:
    events: list[Any] = []
    step = {"step": "OPENAI_IMAGE_GENERATION", "model": MODEL, "instruction": "A lighthouse"}
    step |= {"stream": True, "partial_images": 3}
    entry = {"endpoint": server.endpoint, "apiKey": KEY}
    flow = json.dumps({"services": {"OPENAI_IMAGE_GENERATION": entry}, "flow": [step]})
    found = Environment(storage=Storage(images=tmp_path)).run(Source(flow), on_event=events.append)
    assert [event.index for event in events if isinstance(event, PartialImage)] == [0, 1, 2]
    assert [image.read() for image in found.images] == [picture(4)]


def test_the_whole_address_of_the_page_is_an_endpoint_too(server: Gateway, tmp_path: Path) -> None:
    run(server, tmp_path, endpoint=f"{server.endpoint}/images/generations")
    assert len(server.bodies) == 1


def test_a_token_that_is_not_known_is_an_error_that_names_its_entry(server: Gateway, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as raised:
        run(server, tmp_path, key="tfy-other")
    assert (raised.value.status, raised.value.service) == (401, "GATEWAY")
    assert server.bodies == []


def test_one_command_asks_the_gateway(
    server: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.endpoint)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    arguments = ["image", "A lighthouse", "--model", MODEL, "--set", "response_format=url", "--out", str(tmp_path)]
    assert main([*arguments, "--json"]) == 0
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert (image["width"], image["revised_prompt"]) == (32, "revised")
    assert server.bodies == [{"prompt": "A lighthouse", "model": MODEL, "response_format": "url"}]


def test_its_names_of_models_are_drawn_by_the_simulator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "A lighthouse", "--model", MODEL, "--simulate", "--out", str(tmp_path), "--quiet"]) == 0
    assert "simulated" in capsys.readouterr().out
