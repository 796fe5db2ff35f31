"""What images cost, in USD: a range before the request, the exact sum after it.

Azure's prices are taken to be OpenAI's, which is assumed and not verified.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl_steps.image.catalogue import Model, parse_size

if TYPE_CHECKING:
    from flowdsl.image.image import Image
    from flowdsl_steps.image.request import ImageRequest

PARTIAL_IMAGE_TOKENS = 100
"""Output tokens of one partial image. Source: OpenAI image generation guide."""

MILLION = 1_000_000
_TOKENS_AROUND = 30
"""The most tokens of text seen beside those of the prompt: 16 to 30 with edits. A vendor puts them around any prompt,
long or short, so they are added to what a prompt counts, and are not the least that it counts. Source: measurements of
a third party, community.openai.com, t/1281361."""
_ANY = "*"
"""The word for any size, or any quality, in the prices of a project."""


def output_tokens(model: Model, size: str, quality: str) -> int | None:
    """The output tokens of one image of an explicit size and quality, or None where only a range or a price is known.

    Source: OpenAI image generation guide (tables), OpenAI's token calculator (formula).
    """
    found = _token_range(model, size, quality)
    return int(found[0]) if found and found[0] == found[1] else None


def estimate(
    model: Model,
    provider: str,
    size: str | None = None,
    quality: str | None = None,
    n: int = 1,
    partial_images: int = 0,
) -> tuple[float, float] | None:
    """The least and the most that `n` images cost in USD, output only, or None when the price is not known.

    An absent or `auto` size or quality is what the provider takes for it, which may be a range. The prompt comes on
    top: its tokens are not known before the vendor counts them, and are small beside an image.
    """
    each = [
        price
        for one_size in _sizes(model, size)
        for one_quality in _qualities(model, provider, quality)
        for price in _image_prices(model, one_size, one_quality) or ()
    ]
    if not each:
        return None
    extra = partial_images * PARTIAL_IMAGE_TOKENS * (_rate(model, "image_out") or 0) / MILLION
    return (min(each) + extra) * n, (max(each) + extra) * n


def most(
    model: Model,
    provider: str,
    prompt: str,
    size: str | None = None,
    quality: str | None = None,
    n: int = 1,
    partial_images: int = 0,
) -> float | None:
    """The most that a request for `n` images can cost in USD, its prompt included, or None when no price is known.

    A prompt has no more tokens than bytes; what a vendor puts around it comes on top. No source says whether they are
    counted once or for each picture that is made: for each, as pictures to edit are.
    """
    found = estimate(model, provider, size, quality, n, partial_images)
    if found is None:
        return None
    tokens = len(prompt.encode("utf-8", "surrogatepass")) + _TOKENS_AROUND
    return found[1] + tokens * max(1, n) * (_rate(model, "text_in") or 0) / MILLION


def of_inputs(model: Model, images: Sequence[Image], request: ImageRequest) -> float | None:
    """The most that pictures to edit cost in USD, for all `n` pictures that are made of them; None where it is unknown.

    No source says which of the pictures a request counts how often: each is counted for each picture that is made.
    Source: measurements of third parties, see `inputs` in `models.json`.
    """
    if not images or "images" in model.prices:  # a price of a picture is all that it costs
        return 0.0
    rate = _rate(model, "image_in")
    if rate is None or not model.inputs:
        return None
    tokens = sum(input_tokens(model, image.width, image.height) for image in images)
    if request.input_fidelity == "high":
        tokens += len(images) * model.inputs.get("high_fidelity", 0)
    return tokens * max(1, request.n) * rate / MILLION


def input_tokens(model: Model, width: int | None, height: int | None) -> int:
    """The tokens that a picture to edit counts as; of one whose size is not known, the most."""
    facts = model.inputs
    if "patch" in facts:
        if width is None or height is None:
            return int(facts["most"])
        larger = min(facts["enlarged_by"], max(1.0, facts["enlarged_to"] / max(width, height)))
        across, down = (math.ceil(edge * larger / facts["patch"]) for edge in (width, height))
        return min(int(facts["most"]), int(across * down))
    tiles = _MOST_TILES if width is None or height is None else math.ceil(max(width, height) / min(width, height))
    return int(facts["base"] + facts["tile"] * min(tiles, _MOST_TILES))


_MOST_TILES = 10


def actual(
    model: Model, usage: Mapping[str, Any] | None, size: str | None = None, quality: str | None = None, n: int = 1
) -> float | None:
    """What a request cost in USD, or None when the response does not say it.

    `usage` is the response's: missing details and unknown fields are fine. Models with a price for each image are
    priced by it when there is no usage.
    """
    counted = _count(usage, "output_tokens")
    if usage is not None and counted is not None and _rate(model, "image_out") is not None:
        return (_input_usd(model, usage) + _output_usd(model, usage, counted)) / MILLION
    if "images" in model.prices:
        found = estimate(model, "openai", size, quality, n)
        return found[0] if found and found[0] == found[1] else None
    return None


def _sizes(model: Model, size: str | None) -> Sequence[str]:
    if size is None:
        size = model.sizes.default
    return model.sizes.values if size == "auto" else (size,)


def _qualities(model: Model, provider: str, quality: str | None) -> Sequence[str]:
    if quality is None:
        quality = model.default("quality", provider)
    if quality is None or quality == "auto":
        return tuple(word for word in model.parameters["quality"].values if word != "auto")
    return (quality,)


def _image_prices(model: Model, size: str, quality: str) -> tuple[float, float] | None:
    """The least and the most one image costs."""
    table = model.prices.get("images")
    if table is not None:
        by_quality = table.get(size) or table.get(_ANY, {})
        price = by_quality.get(quality, by_quality.get(_ANY))
        return None if price is None else (price, price)
    tokens, rate = _token_range(model, size, quality), _rate(model, "image_out")
    if tokens is None or rate is None:
        return None
    return tokens[0] * rate / MILLION, tokens[1] * rate / MILLION


def _token_range(model: Model, size: str, quality: str) -> tuple[float, float] | None:
    prices = model.prices
    if "tokens" in prices:
        tokens = prices["tokens"].get(size, {}).get(quality)
        return None if tokens is None else (tokens, tokens)
    factor, pair = prices.get("factors", {}).get(quality), parse_size(size)
    if factor is None or pair is None:
        return None
    tokens = _formula(factor, *pair)
    low, high = prices.get("scale", {}).get(quality, (1, 1))
    return tokens * low, tokens * high


def _formula(factor: int, width: int, height: int) -> int:
    """Source: OpenAI's image token calculator, derived again from its published results; halves round to even."""
    rows = round(factor * min(width, height) / max(width, height))
    return math.ceil(factor * rows * (2_000_000 + width * height) / 4_000_000)


def _input_usd(model: Model, usage: Mapping[str, Any]) -> float:
    """Millionths of USD for the input. A part without a known rate is priced at the dearer one: never too low."""
    details = usage.get("input_tokens_details")
    total = _count(usage, "input_tokens") or 0
    image = _count(details, "image_tokens") or 0
    text = _count(details, "text_tokens")
    text = max(total - image, 0) if text is None else text
    cached = min(_count(details, "cached_tokens") or 0, text)
    text_in, image_in = _rate(model, "text_in") or 0, _rate(model, "image_in") or 0
    cached_in = _rate(model, "cached_text_in")
    return (text - cached) * text_in + cached * (text_in if cached_in is None else cached_in) + image * image_in


def _output_usd(model: Model, usage: Mapping[str, Any], counted: int) -> float:
    """Millionths of USD for the output. The Images API often leaves the details out: then all of it is image."""
    details = usage.get("output_tokens_details")
    image, text = _count(details, "image_tokens"), _count(details, "text_tokens")
    image_out, text_out = _rate(model, "image_out") or 0, _rate(model, "text_out")
    if not image or text is None or text_out is None or image + text != counted:
        return counted * image_out
    return image * image_out + text * text_out


def _count(found: object, key: str) -> int | None:
    value = found.get(key) if isinstance(found, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _rate(model: Model, key: str) -> float | None:
    rate: float | None = model.prices.get("rates", {}).get(key)
    return rate
