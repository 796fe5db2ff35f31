"""What every vendor keeps: no option of a request is dropped in silence, and the simulator can stand in for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from image_bench import Bench
from image_pictures import drawn
from installed_vendors import ENTRIES, made_up_vendor

from flowdsl import services
from flowdsl.errors import ConfigError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl.step.service import Service
from flowdsl_steps.http.multipart import Multipart
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.image.azure_openai_image_generation import AzureOpenAIImageGeneration
from flowdsl_steps.image.hub_image_generation import HubImageGeneration
from flowdsl_steps.image.openai_image_generation import OpenAIImageGeneration
from flowdsl_steps.image.options import ImageOptions, sent_fields
from flowdsl_steps.image.request import OPTIONS, ImageRequest
from flowdsl_steps.image.resolve import resolve_model
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.stand_in import overrides
from flowdsl_steps.image.vendor import Vendor
from flowdsl_steps.image.vendors import known_vendor, vendor_named

VALUES: dict[str, Any] = {
    "n": 2,
    "size": "1024x512",
    "quality": "high",
    "style": "vivid",
    "response_format": "url",
    "output_format": "jpeg",
    "background": "opaque",
    "seed": 7,
    "user": "u1",
    "moderation": "low",
    "output_compression": 50,
    "stream": True,
    "partial_images": 2,
    "complexity": "high",
    "safety_identifier": "s1",
    "frame_count": 4,
    "frame_duration_ms": 90,
    "svg": {"model": "x"},
    "input_fidelity": "high",
}
"""Option → a value that says something."""
MODELS = ("the vendor's", "unheard-of-1", "dall-e-3", "gpt-image-2.6-sunburst")
STEPS = (OpenAIImageGeneration, AzureOpenAIImageGeneration, HubImageGeneration)


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with made_up_vendor(monkeypatch):
        yield


def test_every_installed_vendor_is_asked() -> None:
    assert sorted(ENTRIES) == sorted(services.provider_names())


def test_an_installation_without_vendors_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "targets", lambda group: set())  # what an install from before vendors existed gives
    services.provider_names.cache_clear()
    services.provider.cache_clear()
    with pytest.raises(ConfigError) as raised:
        vendor_named("openai")
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("no image vendors are installed, not even the standard ones: run `pip install")


def test_every_option_has_a_value_to_ask_with() -> None:
    assert list(VALUES) == list(OPTIONS)


def sent(vendor: Vendor, service: Service, request: ImageRequest) -> tuple[Any, ...]:
    """Everything that would go out, in a form that compares."""
    endpoint = vendor.endpoint(service, request)
    http: HttpRequest = vendor.encode(request, endpoint)
    content = http.content.parts if isinstance(http.content, Multipart) else http.content
    return http.method, http.url, dict(http.headers), dict(endpoint.headers), content


def is_dropped(vendor: Vendor, service: Service, plain: ImageRequest, asked: ImageRequest, name: str) -> bool:
    """Whether an option is neither sent nor spoken of."""
    reported = [
        key
        for problem in vendor.supports(asked, resolve_model(vendor, service, asked.model))
        for key in (problem.key, *problem.covers)
    ]
    return name not in reported and sent(vendor, service, asked) == sent(vendor, service, plain)


@pytest.mark.parametrize("name", [*OPTIONS, "images", "mask", "target", "unheard_of"])
@pytest.mark.parametrize("vendor_name", sorted(ENTRIES))
def test_no_option_is_dropped_in_silence(vendor_name: str, name: str, tmp_path: Path) -> None:
    vendor = vendor_named(vendor_name)
    service = Service("PICTURES", {"provider": vendor_name, **ENTRIES[vendor_name]})
    for model in MODELS:
        plain = ImageRequest(prompt="a boat", model=None if model == MODELS[0] else model)
        asked = with_option(plain, name, tmp_path)
        assert not is_dropped(vendor, service, plain, asked, name), (vendor_name, name, model)


def with_option(plain: ImageRequest, name: str, folder: Path) -> ImageRequest:
    if name in OPTIONS:
        return plain._replace(**{name: VALUES[name]})
    if name in ("images", "mask"):
        image: Image = ImageStore(folder).add(drawn("PNG", (8, 8)))
        return plain._replace(images=(image,)) if name == "images" else plain._replace(mask=image)
    return plain._replace(extra={name: "x"})


def test_what_is_dropped_would_be_noticed(tmp_path: Path) -> None:
    class Careless(type(vendor_named("openai"))):  # type: ignore[misc]  # a vendor that forgets to speak
        def supports(self, request: ImageRequest, model: object) -> list[Any]:
            return []

    service = Service("PICTURES", {"provider": "openai", **ENTRIES["openai"]})
    plain = ImageRequest(prompt="a boat")
    assert is_dropped(Careless(), service, plain, with_option(plain, "seed", tmp_path), "seed")
    assert not is_dropped(Careless(), service, plain, with_option(plain, "size", tmp_path), "size")


@pytest.mark.parametrize("cls", STEPS)
def test_every_option_of_a_step_is_asked_of_a_vendor(cls: type[ImageOptions]) -> None:
    own = {"model", "instruction", "timeout_ms", "max_retries", "output_key"}
    assert set(cls.model_fields) - own == set(sent_fields(cls))
    assert set(sent_fields(cls)) <= {*OPTIONS, "target"}


@pytest.mark.parametrize("vendor_name", sorted(ENTRIES))
def test_the_simulator_stands_in_for_every_vendor(vendor_name: str, tmp_path: Path) -> None:
    with Simulator() as simulator:
        override = overrides(simulator.url, simulator.key)[vendor_name]
        entry = {"provider": vendor_name, **ENTRIES[vendor_name], **override}
        bench = Bench(tmp_path, {key: value for key, value in entry.items() if value is not None})
        found = bench.run(model=None, size="1024x1024")
        assert [(image.width, image.height) for image in found["imageList"]] == [(1024, 1024)]
        assert simulator.request_count == 1
        assert "k" not in simulator.requests[0].headers.values()


@pytest.mark.parametrize("vendor_name", sorted(ENTRIES))
def test_every_setting_of_a_vendor_is_one_of_a_service_entry(vendor_name: str) -> None:
    vendor = known_vendor(vendor_name)
    assert vendor is not None
    assert vendor.name == vendor_name
    for key in vendor.settings:
        assert services.setting(key.name, vendor_name) == key
        assert key.summary
        assert services.is_secret(key.name) is key.secret
    for setting in (*vendor.environment, *vendor.other_names.values()):
        assert services.setting(setting) is not None
