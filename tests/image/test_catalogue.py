from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from flowdsl_steps.image.catalogue import Life, Model, Sizes, catalogue, parse_size

DAY = date(2026, 11, 21)
PROVIDERS = ("openai", "azure")


def model(name: str) -> Model:
    found = catalogue().find(name)
    assert found is not None
    return found


def facts() -> dict[str, dict[str, dict[str, object]]]:
    return dict(catalogue().facts)


def test_the_official_client_and_the_catalogue_name_the_same_models() -> None:
    from typing import get_args

    from openai.types.image_model import ImageModel

    named = {name for each in catalogue().models for name in (each.name, *each.snapshots)}
    assert named - set(get_args(ImageModel)) == {"gpt-image-1.5-2025-12-16"}
    assert set(get_args(ImageModel)) <= named


@pytest.mark.parametrize(
    ("name", "provider", "day", "life"),
    [
        ("dall-e-3", "openai", date(2026, 5, 12), Life("dead", "2026-05-12", "gpt-image-2", 0)),
        ("dall-e-3", "openai", date(2026, 5, 11), Life("dying", "2026-05-12", "gpt-image-2", 1)),
        ("dall-e-3", "openai", date(2026, 2, 11), Life("dying", "2026-05-12", "gpt-image-1.5", 90)),
        ("dall-e-3", "openai", date(2026, 2, 10), Life("alive", "2026-05-12", None, 91)),
        ("dall-e-3", "azure", DAY, Life("dead", "2026-03-04", "gpt-image-2", -262)),
        ("gpt-image-1.5", "openai", DAY, Life("dying", "2026-12-01", "gpt-image-2.5-sunburst", 10)),
        ("gpt-image-1.5", "azure", DAY, Life("dying", "2026-12-16", "gpt-image-2", 25)),
        ("gpt-image-1-mini", "azure", DAY, Life("alive", "2027-04-07", None, 137)),
        ("gpt-image-2", "openai", DAY, Life("alive")),
        ("gpt-image-2", "openai", date(2026, 4, 20), Life("unknown")),
        ("gpt-image-2.6-flare", "azure", DAY, Life("unknown")),
        ("dall-e-2", "hub", DAY, Life("dead", "2026-05-12", "gpt-image-2.5-flare", -193)),
    ],
)
def test_a_life_is_given_for_provider_and_day(name: str, provider: str, day: date, life: Life) -> None:
    assert model(name).life(provider, day) == life


@pytest.mark.usefixtures("noon")
def test_a_life_without_a_day_is_that_of_today() -> None:
    assert model("dall-e-3").life("openai") == model("dall-e-3").life("openai", date.today())


def test_what_is_alive_is_listed_newest_first() -> None:
    assert [each.name for each in catalogue().alive("openai", DAY)] == [
        "gpt-image-2.6-sunburst",
        "gpt-image-2.6-flare",
        "gpt-image-2.5-sunburst",
        "gpt-image-2.5-flare",
        "gpt-image-2",
    ]
    assert [each.name for each in catalogue().alive("azure", DAY)] == [
        "gpt-image-2.5-sunburst",
        "gpt-image-2.5-flare",
        "gpt-image-2",
        "gpt-image-1-mini",
    ]


def test_a_snapshot_finds_its_model_and_other_names_find_nothing() -> None:
    assert catalogue().find("gpt-image-2-2026-04-21") is model("gpt-image-2")
    assert catalogue().find("GPT-Image-2") is None
    assert catalogue().find("") is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("gpt-image2", "gpt-image-2"),
        ("GPT-Image-2", "gpt-image-2"),
        ("gpt-image-2.5", "gpt-image-2.5-sunburst"),
        ("gpt-image-2.6-flair", "gpt-image-2.6-flare"),
        ("dalle3", "dall-e-3"),
        ("dall-e", "dall-e-3"),
        ("flux-dev", None),
        ("openai/gpt-image-2", None),
        ("gpt-image-2", None),
    ],
)
def test_the_nearest_name_is_the_one_that_was_likely_meant(written: str, meant: str | None) -> None:
    assert catalogue().nearest(written) == meant


@pytest.mark.parametrize(
    ("name", "provider", "parameter", "taken"),
    [
        ("gpt-image-2", "openai", "response_format", False),
        ("gpt-image-2", "openai", "style", False),
        ("gpt-image-2", "openai", "seed", False),
        ("gpt-image-2", "openai", "quality", True),
        ("gpt-image-2", "openai", "user", True),
        ("gpt-image-2", "openai", "complexity", None),
        ("gpt-image-2.6-flare", "openai", "complexity", True),
        ("gpt-image-2", "openai", "moderation", True),
        ("gpt-image-2", "azure", "moderation", None),
        ("dall-e-3", "openai", "style", True),
        ("dall-e-2", "openai", "style", False),
        ("dall-e-3", "openai", "output_format", False),
        ("gpt-image-2", "openai", "something_new", None),
    ],
)
def test_a_model_says_which_parameters_it_accepts(name: str, provider: str, parameter: str, taken: bool | None) -> None:
    assert model(name).accepts(parameter, provider) is taken


def test_an_absent_quality_means_something_else_on_azure() -> None:
    assert model("gpt-image-2").default("quality", "openai") == "auto"
    assert model("gpt-image-2").default("quality", "azure") == "high"
    assert model("gpt-image-1-mini").default("quality", "azure") == "medium"
    assert model("dall-e-3").default("quality", "azure") == "standard"
    assert model("gpt-image-2").default("size", "azure") == "auto"


def test_images_per_request_are_one_for_dall_e_3_and_for_svg() -> None:
    assert model("dall-e-3").images_per_request() == 1
    assert model("gpt-image-2").images_per_request("png") == 10
    assert model("gpt-image-2.6-flare").images_per_request("svg") == 1


@pytest.mark.parametrize(
    ("size", "fault", "nearest"),
    [
        ("auto", None, ("auto",)),
        ("1792x1024", None, ("1792x1024",)),
        ("3840x2160", None, ("3840x2160",)),
        ("1792x936", "936 is no multiple of 16", ("1792x944", "1792x928")),
        ("1920x1080", "1080 is no multiple of 16", ("1920x1088", "1920x1072")),
        ("1001x1002", "1001 and 1002 are no multiple of 16", ("1008x1008",)),
        ("4096x2048", "its longer edge is above 3840", ("3840x1920",)),
        ("3200x1024", "it is longer than 3:1", ("3072x1024",)),
        ("512x512", "it has 262,144 pixels, fewer than 655,360", ("1024x1024",)),
        ("3840x3840", "it has 14,745,600 pixels, more than 8,294,400", ("2880x2880",)),
        ("1024X1024", "it is not WIDTHxHEIGHT", ("1024x1024",)),
        ("1024 × 1024", "it is not WIDTHxHEIGHT", ("1024x1024",)),
        ("wide", "it is not WIDTHxHEIGHT", ("1536x1024",)),
        ("vast", "it is not WIDTHxHEIGHT", ()),
        ("0x1024", "it is not WIDTHxHEIGHT", ()),
    ],
)
def test_flexible_sizes_are_checked_and_the_nearest_is_found(
    size: str, fault: str | None, nearest: tuple[str, ...]
) -> None:
    sizes = model("gpt-image-2").sizes
    assert (sizes.fault(size), sizes.nearest(size)) == (fault, nearest)


def test_listed_sizes_offer_the_nearest_by_shape() -> None:
    sizes = model("dall-e-3").sizes
    assert sizes.fault("1024x1536") == "it is none of the model's sizes"
    assert sizes.nearest("1024x1536") == ("1024x1792",)
    assert sizes.nearest("512x512") == ("1024x1024",)
    assert sizes.fault("auto") == "it is none of the model's sizes"


def every_size(sizes: Sizes) -> list[str]:
    edges = (1, 15, 16, 100, 640, 1000, 1023, 2049, 3840, 5000, 99999)
    return [found for w in edges for h in edges for found in sizes.nearest(f"{w}x{h}")]


def test_every_size_that_is_offered_is_taken() -> None:
    for each in catalogue().models:
        offered = every_size(each.sizes)
        assert len(offered) >= 121
        assert [size for size in offered if each.sizes.fault(size)] == []


@pytest.mark.parametrize(
    "text", ["", "x", "10x", "x10", "10x10x10", "-1x5", "1.5x2", "\u0663x\u0663", "1" * 30 + "x1"]
)  # digits that are not ASCII are the point
def test_what_is_no_size_is_not_read_as_one(text: str) -> None:
    assert parse_size(text) is None


def test_loading_imports_nothing_heavy() -> None:
    program = (
        "import sys, flowdsl_steps.image.capabilities as c, flowdsl_steps.image.catalogue as k; k.catalogue();"
        "print([m for m in ('dataclasses', 'pydantic', 'httpx', 'datetime', 'asyncio', 'difflib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )  # our own program
    assert done.stdout == "[]\n", done.stderr


def test_the_file_is_plain_json_that_people_can_edit() -> None:
    from flowdsl_steps.image import catalogue as package

    text = Path(package.__file__ or "").with_name("models.json").read_text(encoding="utf-8")
    assert json.loads(text)["as_of"] == "2026-11-26"
    assert max(map(len, text.splitlines())) < 500
