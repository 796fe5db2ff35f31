"""What a file of a vendor's models may say: limits of sizes, prices by the area, and what that means for a request."""

from __future__ import annotations

from typing import Any

import pytest

from flowdsl_steps.image.catalogue.offer import Offer
from flowdsl_steps.image.catalogue.sizes import Sizes
from flowdsl_steps.image.offer_check import offer_problems
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel

EDGES = {"multiple_of": 32, "min_edge": 1024, "max_edge": 2048, "max_ratio": 2, "max_pixels": 4_194_304}
PIXELS = {"multiple_of": 1, "max_ratio": 4, "min_pixels": 1_638_400, "max_pixels": 2_073_600}


def sizes(**limits: int) -> Sizes:
    return Sizes({"values": ["1280x1280"], "default": "1280x1280", "auto": False, **limits})


def offer(**model: Any) -> Offer:
    facts: dict[str, Any] = {"as_of": "2026-11-26", "complete": True, "models": {"painter": model}, "other": {}}
    return Offer(facts)


@pytest.mark.parametrize(
    ("limits", "size", "fault"),
    [
        (EDGES, "1024x2048", None),
        (EDGES, "992x1024", "its shorter edge is below 1024"),
        (EDGES, "1000x2080", "1000 is no multiple of 32"),
        (EDGES, "2080x1280", "its longer edge is above 2048"),
        (PIXELS, "768x2700", None),
        (PIXELS, "1440x1440", None),
        (PIXELS, "1441x1441", "it has 2,076,481 pixels, more than 2,073,600"),
        (PIXELS, "600x2800", "it is longer than 4:1"),
        ({"multiple_of": 1, "max_edge": 2500}, "1x2500", None),
    ],
)
def test_a_size_is_within_the_limits_that_there_are(limits: dict[str, int], size: str, fault: str | None) -> None:
    assert sizes(**limits).fault(size) == fault


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (EDGES, "both a multiple of 32, edges of 1024 to 2048, at most 2:1, and at most 4,194,304 pixels"),
        (PIXELS, "at most 4:1 and 1,638,400 to 2,073,600 pixels"),
        ({"multiple_of": 1, "max_edge": 2500}, "no edge above 2500"),
    ],
)
def test_only_the_limits_that_there_are_are_told(limits: dict[str, int], said: str) -> None:
    assert sizes(**limits).describe() == f"WIDTHxHEIGHT with {said}"


@pytest.mark.parametrize(
    "limits", [EDGES, PIXELS, {"multiple_of": 1, "max_edge": 2500}, {"multiple_of": 8, "min_edge": 64, "max_edge": 640}]
)
@pytest.mark.parametrize("size", ["64x64", "512x512", "4000x100", "100x4000", "3000x3000", "1023x1537", "16:9"])
def test_the_nearest_size_is_one_that_is_taken(limits: dict[str, int], size: str) -> None:
    known = sizes(**limits)
    near = known.nearest(size)
    assert near
    assert [known.fault(each) for each in near if each != known.default] == [
        None for each in near if each != known.default
    ]


@pytest.mark.parametrize(
    ("size", "usd"), [("512x512", 0.12), ("513x512", 0.14), ("1024x1024", 0.18), ("1x1", 0.12), (None, None)]
)
def test_a_picture_may_be_paid_by_its_area(size: str | None, usd: float | None) -> None:
    model = offer(prices={"area": {"unit": 262_144, "each": 0.02, "first": 0.1, "more": 0.02}}).model("painter")
    found = model.price(size)
    assert found == (None if usd is None else (pytest.approx(usd), pytest.approx(usd)))
    assert model.most(size, None, 2) == (None if usd is None else pytest.approx(2 * usd))


def told(found: Offer, **options: Any) -> list[tuple[str, str | None]]:
    resolved = ResolvedModel("painters", "Painters", True, "painter", "step", None)
    problems = offer_problems(ImageRequest(prompt="a boat", **options), resolved, "Painters", found)
    return [(problem.code, problem.key) for problem in problems]


def test_a_seed_would_draw_the_same_in_each_request() -> None:
    assert told(offer(options={"seed": True}), n=2, seed=7) == [("conflicting-values", "seed")]
    assert told(offer(options={"seed": True}, n=2), n=2, seed=7) == []
    assert told(offer(), n=2, seed=7) == [("seed-not-sent", "seed"), ("fan-out", "n")]
    assert told(offer(options={"seed": True}), n=2) == [("fan-out", "n")]


def test_a_model_may_have_no_size() -> None:
    assert told(offer(options={"size": False}), size="1024x1024") == [("unsupported-parameter", "size")]
    assert told(offer(), size="1024x1024") == []
