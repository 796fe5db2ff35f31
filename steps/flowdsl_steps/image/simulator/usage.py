"""Token usage of a response, by the vendor's published figures."""

from __future__ import annotations

import math
from collections.abc import Iterable

from flowdsl_steps.image.simulator.models import TOKEN_TABLE, ModelRules

PARTIAL_IMAGE_TOKENS = 100


def text_tokens(prompt: str) -> int:
    """An estimate of the prompt's tokens: one for every four bytes of UTF-8, rounded up."""
    return math.ceil(len(prompt.encode("utf-8", "surrogatepass")) / 4)


def image_tokens(rules: ModelRules, width: int, height: int, quality: str) -> int:
    """The output tokens of one image.

    Source: OpenAI's image token calculator for gpt-image-2 and later; the guide's table before that, with the entry of
    the same orientation for a size outside the table.
    """
    factor = rules.factors.get(quality)
    if factor is not None:
        other_side = round(factor * min(width, height) / max(width, height))
        return math.ceil(factor * other_side * (2_000_000 + width * height) / 4_000_000)
    orientation = "1024x1024" if width == height else "1536x1024" if width > height else "1024x1536"
    return TOKEN_TABLE[orientation][quality]


def input_image_tokens(rules: ModelRules, sizes: Iterable[tuple[int, int]]) -> int:
    """The input tokens of pictures to edit. Source: measurements of third parties (community.openai.com t/1382940 and
    t/1281361): patches of 32 pixels, at most 1536, small pictures up to twice as large; before gpt-image-2 tiles of 512
    along the longer edge."""
    total = 0
    for width, height in sizes:
        if rules.input_patches:
            larger = min(2.0, max(1.0, 1024 / max(width, height)))
            total += min(1536, math.ceil(width * larger / 32) * math.ceil(height * larger / 32))
        else:
            total += 65 + 129 * math.ceil(max(width, height) / min(width, height))
    return total


def usage_body(prompt: str, output_tokens: int, *, details: bool = True, image_tokens: int = 0) -> dict[str, object]:
    """The `usage` object of a response; `details` adds the optional split of the output.

    The prompt counts once, whatever the number of images.
    """
    text = text_tokens(prompt)
    usage: dict[str, object] = {
        "input_tokens": text + image_tokens,
        "input_tokens_details": {"image_tokens": image_tokens, "text_tokens": text},
        "output_tokens": output_tokens,
        "total_tokens": text + image_tokens + output_tokens,
    }
    if details:
        usage["output_tokens_details"] = {"image_tokens": output_tokens, "text_tokens": 0}
    return usage


def svg_usage_body(prompt: str, author: str, svg_bytes: int) -> dict[str, object]:
    """The `svg_usage` object of an SVG response: the tokens of the model that wrote it, four bytes each."""
    written = math.ceil(svg_bytes / 4)
    return {
        "input_tokens": text_tokens(prompt),
        "model": author,
        "output_tokens": written,
        "reasoning_tokens": 0,
        "total_tokens": text_tokens(prompt) + written,
    }
