"""What a run cost lies between the least and the most that its plan says: at each vendor's fake, and for each model of
the shipped catalogues whose price is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_vendor import running
from hypothesis import given, settings
from hypothesis import strategies as st
from vendor_cases import CASES

from flowdsl import Environment, Limits, Storage
from flowdsl_steps.image.catalogue import SHIPPED, catalogue_in, use_catalogue
from flowdsl_steps.image.catalogue.offer import OfferedModel, offer_of
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.received import LinkedImage, Received
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint
from flowdsl_steps.image.vendors import vendor_named

FROZEN = Path(__file__).parents[1] / "image" / "frozen_models.json"
CENT = 1e-9
AROUND = 30
"""Tokens of text that OpenAI was seen to count beside those of the prompt."""


def priced(model: OfferedModel) -> bool:
    return any(model.price(size) is not None for size in (None, "auto", "1024x1024"))


OFFERED = [
    (name, str(model.name))
    for name in sorted(CASES)
    if isinstance(vendor_named(name), Offering)
    for model in offer_of(name).models
    if priced(model)
]
OF_OPENAI = [
    (vendor, model.name)
    for model in catalogue_in(SHIPPED).models
    for vendor in ("openai", "azure")
    if model.dates(vendor) is not None
]


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_run_at_a_fake_costs_what_its_plan_says(
    name: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"flowdsl_steps.image.vendors.{name}._PAUSE_S", 0.0, raising=False)
    case = CASES[name]
    with running(case.fake()) as fake:
        entry = {"provider": name, "endpoint": fake.url, **case.entry, **case.more(fake)}
        step = {"step": "OPENAI_IMAGE_GENERATION", "service": "IT", "instruction": "a lighthouse", "n": number}
        limits = Limits(private_addresses=True, fewer_images=True)
        here = Environment(storage=Storage(images=tmp_path), limits=limits)
        flow = json.dumps({"services": {"IT": entry}, "flow": [step]}) + "\n"
        bounds = here.load(flow).plan().bounds
        found = here.run(flow)
        sent = [asked for asked in fake.asked if asked.method == "POST" and asked.path != "/token"]
    assert bounds.least.number <= len(sent) <= bounds.most.number
    if found.cost_usd is not None:
        assert found.cost_usd >= bounds.least_usd.number - CENT
        assert bounds.most_usd.unbounded or found.cost_usd <= bounds.most_usd.number + CENT


def bounds_of(vendor: str, request: ImageRequest) -> tuple[float, float | None]:
    """The least and the most that a request costs by the vendor."""
    asked, endpoint = vendor_named(vendor), Endpoint("S", "https://gate.example", {}, str(request.model))
    return asked.least(request, endpoint), asked.most(request, endpoint)


def cost_of(vendor: str, request: ImageRequest, received: Received) -> float | None:
    """What a request cost by the vendor."""
    endpoint = Endpoint("S", "https://gate.example", {}, str(request.model))
    return vendor_named(vendor).cost(request, endpoint, received)


PICTURE = LinkedImage("https://gate.example/1.png", None, None)


@pytest.mark.parametrize(("vendor", "name"), OFFERED, ids=lambda value: str(value).lstrip("@"))
def test_every_priced_model_of_a_vendor_costs_what_lies_within_its_bounds(vendor: str, name: str) -> None:
    model = offer_of(vendor).model(name)
    listed = [None, *(["auto"] if model.sizes is None or model.sizes.fault("auto") is None else [])]
    listed += list(model.sizes.values) if model.sizes is not None else ["1024x1024", "512x512", "1920x1088"]
    quality = model.options.get("quality")
    words = [None, *(quality.values if quality is not None else ())]
    costs = 0
    for size in listed:
        for word in words:
            for n in (1, model.images_per_request):
                request = ImageRequest(prompt="a boat", model=name, n=n, size=size, quality=word)
                least, most = bounds_of(vendor, request)
                usage = {"input_tokens": 8, "output_tokens": 1500, "output_tokens_details": {"image_tokens": 1120}}
                for told in (usage, None):
                    found = cost_of(vendor, request, Received((PICTURE,) * n, usage=told))
                    costs += found is not None
                    assert most is None or least <= most + CENT
                    assert found is None or found >= least - CENT, (size, word, n)
                    assert found is None or most is None or found <= most + CENT, (size, word, n)
    assert costs


@settings(max_examples=40)
@pytest.mark.parametrize(("vendor", "name"), OF_OPENAI, ids=lambda value: str(value))
@given(data=st.data())
def test_every_model_of_openai_costs_what_lies_within_its_bounds(vendor: str, name: str, data: st.DataObject) -> None:
    from flowdsl_steps.image import cost

    use_catalogue(SHIPPED)
    try:
        model = catalogue_in(SHIPPED).find(name)
        assert model is not None
        word = data.draw(st.sampled_from([None, *model.parameters["quality"].values]))
        size = data.draw(st.sampled_from([None, *(each for each in model.sizes.values if each != "auto")]))
        n = data.draw(st.integers(1, model.images_per_request()))
        prompt = data.draw(st.text(max_size=40))
        request = ImageRequest(prompt=prompt, model=name, n=n, size=size, quality=word)
        least, most = bounds_of(vendor, request)
        found = cost.estimate(model, vendor, size, word, n)
        if found is None:
            assert (least, most) == (0.0, None)
            return
        usage, rates = None, model.prices.get("rates", {})
        if "image_out" in rates:
            usd = data.draw(st.floats(*found))
            text = data.draw(st.integers(0, n * (len(prompt.encode("utf-8", "surrogatepass")) + AROUND)))
            tokens = min(max(round(usd * 1e6 / rates["image_out"]), 1), round(found[1] * 1e6 / rates["image_out"]))
            details = {"text_tokens": text, "image_tokens": 0}
            usage = {"input_tokens": text, "output_tokens": tokens, "input_tokens_details": details}
        spent = cost_of(vendor, request, Received((PICTURE,) * n, usage=usage))
        assert most is not None
        assert least <= most + CENT
        if spent is not None:
            assert least - rates.get("image_out", 0) / 1e6 <= spent <= most + CENT
    finally:
        use_catalogue(FROZEN)
