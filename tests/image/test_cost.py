from __future__ import annotations

import pytest

from flowdsl_steps.image.catalogue import Model, catalogue
from flowdsl_steps.image.cost import actual, estimate, most, output_tokens

RECTANGLES = ("1024x1024", "1024x1536", "1536x1024")

# USD for one image, as published: gpt-image-1 and -1.5 are rounded up to 1.4 % away from tokens times rate.
# Source: OpenAI image generation guide, cost table; OpenAI model pages.
PUBLISHED = {
    ("gpt-image-2", "low"): (0.006, 0.005, 0.005),
    ("gpt-image-2", "medium"): (0.053, 0.041, 0.041),
    ("gpt-image-2", "high"): (0.211, 0.165, 0.165),
    ("gpt-image-1.5", "low"): (0.009, 0.013, 0.013),
    ("gpt-image-1.5", "medium"): (0.034, 0.05, 0.05),
    ("gpt-image-1.5", "high"): (0.133, 0.2, 0.2),
    ("gpt-image-1", "low"): (0.011, 0.016, 0.016),
    ("gpt-image-1", "medium"): (0.042, 0.063, 0.063),
    ("gpt-image-1", "high"): (0.167, 0.25, 0.25),
    ("gpt-image-1-mini", "low"): (0.005, 0.006, 0.006),
    ("gpt-image-1-mini", "medium"): (0.011, 0.015, 0.015),
    ("gpt-image-1-mini", "high"): (0.036, 0.052, 0.052),
}

TOKENS = [
    # Source: OpenAI image generation guide, output token table.
    ("gpt-image-1", "1024x1024", "low", 272),
    ("gpt-image-1", "1024x1536", "medium", 1584),
    ("gpt-image-1.5", "1536x1024", "high", 6208),
    # Source: a live call, BerriAI/litellm issue 18541.
    ("gpt-image-1.5", "1024x1024", "medium", 1056),
    # Source: OpenAI's calculator, community.openai.com topic 1379464.
    ("gpt-image-2", "1024x1024", "high", 7024),
    ("gpt-image-2", "1536x1024", "high", 5488),
    ("gpt-image-2", "1792x1024", "high", 5063),
    ("gpt-image-2", "3584x2048", "high", 12329),
    # Source: a live call, BerriAI/litellm issue 26876.
    ("gpt-image-2", "1536x1024", "medium", 1372),
    # Source: OpenAI's calculator for 2.5, a post of 2026-09-26.
    ("gpt-image-2.5-sunburst", "1024x1024", "low", 196),
    ("gpt-image-2.5-sunburst", "1024x1024", "medium", 439),
    ("gpt-image-2.5-flare", "1024x1024", "high", 1756),
    ("gpt-image-2.5-flare", "1024x1024", "xhigh", 3122),
    ("gpt-image-2.5-flare", "1024x1024", "max", 7024),
]


def model(name: str) -> Model:
    found = catalogue().find(name)
    assert found is not None
    return found


@pytest.mark.parametrize(("name", "quality"), PUBLISHED)
def test_estimates_are_the_published_prices(name: str, quality: str) -> None:
    for size, price in zip(RECTANGLES, PUBLISHED[name, quality], strict=True):
        found = estimate(model(name), "openai", size, quality)
        assert found is not None
        assert found[0] == found[1]
        assert found[0] == pytest.approx(price, rel=0.015, abs=0.0005), size


def test_every_published_price_of_gpt_image_2_and_of_mini_is_met_to_the_last_digit() -> None:
    for (name, quality), prices in PUBLISHED.items():
        if name in ("gpt-image-2", "gpt-image-1-mini"):
            found = [estimate(model(name), "openai", size, quality) for size in RECTANGLES]
            assert [round(each[0], 3) for each in found if each] == list(prices)


@pytest.mark.parametrize(("name", "size", "quality", "tokens"), TOKENS)
def test_output_tokens_are_the_published_ones(name: str, size: str, quality: str, tokens: int) -> None:
    assert output_tokens(model(name), size, quality) == tokens


# Source: BerriAI/litellm price table, price for each pixel times pixels.
@pytest.mark.parametrize(
    ("name", "size", "quality", "price"),
    [
        ("dall-e-3", "1024x1024", "standard", 0.04),
        ("dall-e-3", "1792x1024", "standard", 0.08),
        ("dall-e-3", "1024x1024", "hd", 0.08),
        ("dall-e-3", "1024x1792", "hd", 0.12),
        ("dall-e-2", "256x256", "standard", 0.016),
        ("dall-e-2", "512x512", None, 0.018),
        ("dall-e-2", None, None, 0.02),
    ],
)
def test_dall_e_costs_by_the_image(name: str, size: str | None, quality: str | None, price: float) -> None:
    assert estimate(model(name), "openai", size, quality) == (price, price)
    assert actual(model(name), None, size, quality, n=2) == pytest.approx(2 * price)


def test_auto_is_a_range_over_what_the_model_may_choose() -> None:
    assert estimate(model("gpt-image-2"), "openai") == pytest.approx((158 * 30e-6, 7024 * 30e-6))
    assert estimate(model("gpt-image-2"), "openai", "1024x1024", "auto") == pytest.approx((196 * 30e-6, 7024 * 30e-6))
    assert estimate(model("gpt-image-2"), "openai", "auto", "low") == pytest.approx((158 * 30e-6, 196 * 30e-6))


def test_an_absent_quality_is_the_dear_one_on_azure() -> None:
    assert estimate(model("gpt-image-2"), "azure", "1024x1024") == pytest.approx((7024 * 30e-6, 7024 * 30e-6))
    assert estimate(model("gpt-image-1-mini"), "azure", "1024x1024") == (0.011, 0.011)


def test_images_and_partial_images_are_counted() -> None:
    found = estimate(model("gpt-image-2"), "openai", "1024x1024", "high", n=3, partial_images=2)
    assert found == pytest.approx((3 * 7224 * 30e-6, 3 * 7224 * 30e-6))


def test_gpt_image_2_6_costs_within_a_range_that_holds_what_was_measured() -> None:
    # Source: measurements of a reseller of the official API, 2026-11-05.
    for size, quality, tokens in [
        ("1536x1024", "low", 664),
        ("1536x1024", "high", 1353),
        ("3840x2160", "high", 3337),
    ]:
        found = estimate(model("gpt-image-2.6-flare"), "openai", size, quality)
        assert found is not None
        assert found[0] < tokens * 30e-6 < found[1]
        assert output_tokens(model("gpt-image-2.6-flare"), size, quality) is None


@pytest.mark.parametrize(
    ("name", "size", "quality"),
    [
        ("chatgpt-image-latest", "1024x1024", "high"),
        ("gpt-image-1", "1792x1024", "high"),
        ("gpt-image-2", "wide", "high"),
        ("gpt-image-2", "1024x1024", "hd"),
        ("dall-e-3", "1024x1024", "high"),
    ],
)
def test_what_is_not_known_has_no_price(name: str, size: str, quality: str) -> None:
    assert estimate(model(name), "openai", size, quality) is None
    assert actual(model(name), None, size, quality) is None


def test_usage_is_priced_by_its_parts() -> None:
    usage = {
        "total_tokens": 1950,
        "input_tokens": 194,
        "output_tokens": 1756,
        "input_tokens_details": {"text_tokens": 94, "image_tokens": 100, "cached_tokens": 40},
        "something_new": {"x": 1},
    }
    expected = (54 * 5 + 40 * 1.25 + 100 * 8 + 1756 * 30) / 1e6
    assert actual(model("gpt-image-2"), usage) == pytest.approx(expected)


def test_usage_without_details_is_all_text_in_and_all_image_out() -> None:
    assert actual(model("gpt-image-2"), {"input_tokens": 20, "output_tokens": 1372}) == pytest.approx(
        (20 * 5 + 1372 * 30) / 1e6
    )


def test_text_in_the_output_is_free_where_that_is_known_and_an_image_where_it_is_not() -> None:
    usage = {"output_tokens": 1000, "output_tokens_details": {"image_tokens": 900, "text_tokens": 100}}
    assert actual(model("gpt-image-2.5-flare"), usage) == pytest.approx(900 * 30e-6)
    assert actual(model("gpt-image-2"), usage) == pytest.approx(1000 * 30e-6)


@pytest.mark.parametrize("usage", [None, {}, {"output_tokens": None}, {"output_tokens": "1000"}, {"output_tokens": -1}])
def test_usage_that_says_nothing_has_no_price(usage: dict[str, object] | None) -> None:
    assert actual(model("gpt-image-2"), usage, "1024x1024", "high") is None


def test_mini_without_usage_costs_its_published_price() -> None:
    assert actual(model("gpt-image-1-mini"), None, "1024x1024", "high", n=2) == pytest.approx(0.072)
    assert actual(model("gpt-image-1-mini"), None, "1024x1024", "auto") is None


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("prompt", ["", "a kite", "風", "a red kite over a beach, far away from everything"])
def test_what_a_vendor_puts_around_a_short_prompt_passes_no_limit(prompt: str, n: int) -> None:
    asked = model("gpt-image-2")
    made, bound = output_tokens(asked, "1024x1024", "low"), most(asked, "openai", prompt, "1024x1024", "low", n)
    assert made is not None and bound is not None
    for counted in (1, n):  # the prompt once, or for each picture: no source says
        text = counted * (len(prompt.encode()) + 30)  # 16 to 30 were seen beside the prompt
        details = {"text_tokens": text, "image_tokens": 0}
        usage = {"input_tokens": text, "output_tokens": made * n, "input_tokens_details": details}
        spent = actual(asked, usage, "1024x1024", "low", n)
        assert spent is not None and spent <= bound + 1e-12
    assert estimate(asked, "openai", "1024x1024", "low", n) == (pytest.approx(spent - text * 5e-6),) * 2
