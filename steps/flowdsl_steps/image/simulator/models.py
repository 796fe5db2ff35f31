"""What each image model accepts, as the simulated vendor validates it.

The table is written on its own, from the vendor's client library and guide, and shares nothing with the catalogue:
a wrong fact in one of the two shows up as a refused request.

Source: openai-python 3.57 (`ImageModel`, `ImageGenerateParams`); OpenAI image generation guide; OpenAI deprecations
page; Azure OpenAI model retirements. `released` and `shutdown` are the vendor's published days.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

Vendor = Literal["openai", "azure"]

TABLE_SIZES = ("1024x1024", "1536x1024", "1024x1536")
GPT_PARAMETERS = frozenset(
    {"prompt", "model", "n", "size", "quality", "background", "moderation", "output_format", "output_compression"}
    | {"stream", "partial_images", "user", "safety_identifier"}
)
DALL_E_PARAMETERS = frozenset({"prompt", "model", "n", "size", "quality", "response_format", "user"})
NEW_IN_2_6 = frozenset({"complexity", "frame_count", "frame_duration_ms", "svg"})
EVERY_PARAMETER = GPT_PARAMETERS | DALL_E_PARAMETERS | NEW_IN_2_6 | {"style"}

# Output tokens per image by quality. Source: image generation guide, models before gpt-image-2.
TOKEN_TABLE: Mapping[str, Mapping[str, int]] = {
    "1024x1024": {"low": 272, "medium": 1056, "high": 4160},
    "1024x1536": {"low": 408, "medium": 1584, "high": 6240},
    "1536x1024": {"low": 400, "medium": 1568, "high": 6208},
}


@dataclass(frozen=True, slots=True)
class ModelRules:
    """The limits of one model.

    `sizes` None means any size within the flexible limits. `factors` feeds the token formula, absent for models with
    a token table. Dates are the first day without the model.
    """

    name: str
    parameters: frozenset[str]
    sizes: tuple[str, ...] | None
    qualities: tuple[str, ...]
    auto_quality: str
    formats: tuple[str, ...] = ("png", "jpeg", "webp")
    n_max: int = 10
    prompt_max: int = 32_000
    factors: Mapping[str, int] = field(default_factory=dict)
    released: date | None = None
    shutdown: Mapping[Vendor, date] = field(default_factory=dict)
    snapshots: tuple[str, ...] = ()
    edits: bool = True
    fidelities: tuple[str, ...] = ()
    input_patches: bool = False
    """Whether a picture to edit is counted in patches of 32 pixels, and not in tiles of 512."""

    @property
    def is_dall_e(self) -> bool:
        """Whether the model speaks the older request and response shape."""
        return self.name.startswith("dall-e")

    def served(self, vendor: Vendor, day: date | None) -> bool:
        """Whether the vendor serves the model on `day`; None means whatever the day."""
        if day is None:
            return True
        if self.released is not None and day < self.released:
            return False
        end = self.shutdown.get(vendor)
        return end is None or day < end


_DALL_E_END = date(2026, 5, 12)
_DECEMBER = date(2026, 12, 1)

_DALL_E_2 = ModelRules(
    "dall-e-2",
    DALL_E_PARAMETERS,
    ("256x256", "512x512", "1024x1024"),
    ("standard",),
    "standard",
    formats=("png",),
    prompt_max=1000,
    shutdown={"openai": _DALL_E_END, "azure": date(2025, 1, 27)},
)
_DALL_E_3 = ModelRules(
    "dall-e-3",
    DALL_E_PARAMETERS | {"style"},
    ("1024x1024", "1792x1024", "1024x1792"),
    ("standard", "hd"),
    "standard",
    formats=("png",),
    n_max=1,
    edits=False,
    prompt_max=4000,
    shutdown={"openai": _DALL_E_END, "azure": date(2026, 3, 4)},
)
_GPT_1 = ModelRules(
    "gpt-image-1",
    GPT_PARAMETERS,
    TABLE_SIZES,
    ("low", "medium", "high"),
    "medium",
    fidelities=("low", "high"),
    shutdown={"openai": date(2026, 10, 23), "azure": date(2026, 10, 23)},
)
_GPT_2 = replace(
    _GPT_1,
    name="gpt-image-2",
    fidelities=(),
    input_patches=True,
    sizes=None,
    factors={"low": 16, "medium": 48, "high": 96},
    shutdown={"azure": date(2027, 4, 21)},
    snapshots=("gpt-image-2-2026-04-21",),
)
_GPT_2_5 = replace(
    _GPT_2,
    name="gpt-image-2.5-sunburst",
    qualities=("low", "medium", "high", "xhigh", "max"),
    factors={"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96},
    released=date(2026, 9, 8),
    shutdown={},
    snapshots=("gpt-image-2.5-sunburst-2026-09-08",),
)
# No token figures of 2.6 are published: the factors of 2.5 stand in for them.
_GPT_2_6 = replace(
    _GPT_2_5,
    name="gpt-image-2.6-sunburst",
    parameters=GPT_PARAMETERS | NEW_IN_2_6,
    formats=("png", "jpeg", "webp", "gif", "svg"),
    released=date(2026, 11, 4),
    snapshots=(),
)

MODELS: Mapping[str, ModelRules] = {
    rules.name: rules
    for rules in (
        _DALL_E_2,
        _DALL_E_3,
        _GPT_1,
        replace(
            _GPT_1,
            name="gpt-image-1-mini",
            fidelities=("low",),
            shutdown={"openai": _DECEMBER, "azure": date(2027, 4, 7)},
        ),
        replace(_GPT_1, name="gpt-image-1.5", shutdown={"openai": _DECEMBER, "azure": date(2026, 12, 16)}),
        replace(_GPT_1, name="chatgpt-image-latest", shutdown={"openai": _DECEMBER}),
        _GPT_2,
        _GPT_2_5,
        replace(_GPT_2_5, name="gpt-image-2.5-flare", snapshots=("gpt-image-2.5-flare-2026-09-08",)),
        _GPT_2_6,
        replace(_GPT_2_6, name="gpt-image-2.6-flare"),
    )
}
_SNAPSHOTS = {snapshot: rules for rules in MODELS.values() for snapshot in rules.snapshots}


def find_model(name: str) -> ModelRules | None:
    """The rules of a model or one of its dated snapshots."""
    return MODELS.get(name) or _SNAPSHOTS.get(name)


def model_names() -> tuple[str, ...]:
    """Every name the simulator serves, snapshots included."""
    return (*MODELS, *_SNAPSHOTS)


_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


def parse_size(text: str) -> tuple[int, int] | None:
    """Width and height in pixels of `1024x768`, or None."""
    found = _SIZE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def flexible_size_problem(width: int, height: int) -> str | None:
    """What is wrong with a free size, in the vendor's words.

    Source: image generation guide: edges multiples of 16 and at most 3840, ratio up to 3:1, 655,360 to 8,294,400
    pixels.
    """
    if width % 16 or height % 16:
        return "Width and height must both be divisible by 16."
    if max(width, height) > 3840:
        return "The longest edge must not exceed 3840 pixels."
    if max(width, height) > 3 * min(width, height):
        return "The aspect ratio must be between 1:3 and 3:1."
    return pixel_problem(width * height)


def pixel_problem(pixels: int) -> str | None:
    """What is wrong with a total number of pixels."""
    if pixels < 655_360:
        return "Requested resolution is below the current minimum pixel budget."
    if pixels > 8_294_400:
        return "Requested resolution exceeds the current maximum pixel budget."
    return None


def frame_sheet(width: int, height: int, frames: int) -> tuple[int, int]:
    """The size of the sheet that holds all frames of a GIF.

    Source: measured by third parties on gpt-image-2.6 (square frames up to 960 for 2-9 frames, 816 for 10-12, 720 for
    13-16; six frames of 1024x1024 refused as 4096 pixels wide): a grid under the limits of one picture.
    """
    columns, rows = (3, 3) if frames == 9 else (4, -(-max(frames, 8) // 4))
    return width * columns, height * rows
