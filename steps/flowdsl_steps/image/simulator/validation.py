"""Validates the parameters of a request as the vendor does, and fills in what it leaves to the vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flowdsl_steps.image.simulator.models import (
    EVERY_PARAMETER,
    MODELS,
    ModelRules,
    Vendor,
    flexible_size_problem,
    frame_sheet,
    parse_size,
    pixel_problem,
)
from flowdsl_steps.image.simulator.refusal import Refusal, refused

Body = Mapping[str, object]

INTEGERS = frozenset({"n", "output_compression", "partial_images", "frame_count", "frame_duration_ms"})
_STRINGS = EVERY_PARAMETER - INTEGERS - {"stream", "svg"}
_NEVER_NULL = ("prompt", "user")
_ENUMS: Mapping[str, tuple[str, ...]] = {
    "response_format": ("url", "b64_json"),
    "style": ("vivid", "natural"),
    "background": ("transparent", "opaque", "auto"),
    "moderation": ("low", "auto"),
    "complexity": ("low", "medium", "high"),
}
_RANGES: Mapping[str, tuple[int, int]] = {
    "output_compression": (0, 100),
    "partial_images": (0, 3),
    "frame_count": (2, 16),
    "frame_duration_ms": (1, 2**31 - 1),
}
_LONGEST_EDGE = 4096
_ANY_RULES = MODELS["gpt-image-2"]
"""The rules that a picture of any model is drawn by: qualities, formats and what a token is."""
_DEFAULT_GIF_SIZE = "512x512"


@dataclass(frozen=True, slots=True)
class Input:
    """A picture to edit, or a mask: its bytes, their SHA-256, its size, and whether it has an alpha channel."""

    content: bytes
    digest: str
    size: tuple[int, int]
    has_alpha: bool


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """A request the vendor accepts, with every choice made: no `auto` is left.

    `asked_model` is the name as sent: a snapshot or a deployment of `rules.name`.
    """

    rules: ModelRules
    asked_model: str
    prompt: str
    n: int
    width: int
    height: int
    quality: str
    output_format: str
    compression: int
    background: str
    wants_url: bool
    stream: bool
    partial_images: int
    frame_count: int
    frame_duration_ms: int
    svg_author: str | None
    safety_identifier: str | None
    take: int = 0
    """How often the same request was sent before: a model never draws the same picture twice."""
    inputs: tuple[Input, ...] = ()
    mask: Input | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The digests of the pictures to edit and of the mask."""
        masks = () if self.mask is None else ("mask", self.mask.digest)
        return (*(each.digest for each in self.inputs), *masks)

    @property
    def size(self) -> str:
        """The size as the vendor writes it."""
        return f"{self.width}x{self.height}"


def validated(body: Body, rules: ModelRules, *, vendor: Vendor, asked_model: str) -> AcceptedRequest:
    """The request with its defaults filled in.

    Raises: Refusal for the first parameter the vendor would refuse.
    """
    known = rules.parameters
    for name, value in body.items():
        if name not in known and (value is not None or name not in EVERY_PARAMETER):
            raise refused(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    _check_types(body)
    given = {name: value for name, value in body.items() if value is not None}
    prompt = _prompt(given, rules)
    _check_values(given, rules, vendor)
    output_format = str(given.get("output_format", "png"))
    _check_combinations(given, output_format)
    frames = _integer(given, "frame_count", 9) if output_format == "gif" else 1
    width, height = _size(given, rules, frames)
    return AcceptedRequest(
        rules=rules,
        asked_model=asked_model,
        prompt=prompt,
        n=_count(given, rules),
        width=width,
        height=height,
        quality=_quality(given, rules, vendor),
        output_format=output_format,
        compression=_integer(given, "output_compression", 100),
        background="transparent" if given.get("background") == "transparent" else "opaque",
        wants_url=rules.is_dall_e and given.get("response_format", "url") == "url",
        stream=given.get("stream") is True,
        partial_images=_integer(given, "partial_images", 0),
        frame_count=frames,
        frame_duration_ms=_integer(given, "frame_duration_ms", 200),
        svg_author=_svg_author(given, output_format),
        safety_identifier=_text(given, "safety_identifier") or _text(given, "user"),
    )


def accepted(body: Body) -> AcceptedRequest:
    """A request for a model that nothing is known of: what can be drawn of it is drawn, the rest is left out.

    Raises: Refusal when there is no prompt.
    """
    given = {name: value for name, value in body.items() if value is not None}
    name = str(given.get("model", "any"))
    rules = replace(_ANY_RULES, name=name)
    size = parse_size(str(given.get("size"))) or (1024, 1024)
    form = given.get("output_format")
    return AcceptedRequest(
        rules=rules,
        asked_model=name,
        prompt=_prompt(given, rules),
        n=min(max(_integer(given, "n", 1), 1), rules.n_max),
        width=min(size[0], _LONGEST_EDGE),
        height=min(size[1], _LONGEST_EDGE),
        quality=quality if (quality := _text(given, "quality")) in rules.qualities else rules.auto_quality,
        output_format=str(form) if form in rules.formats else "png",
        compression=100,
        background="transparent" if given.get("background") == "transparent" and form != "jpeg" else "opaque",
        wants_url=False,
        stream=given.get("stream") is True,
        partial_images=min(max(_integer(given, "partial_images", 0), 0), 3),
        frame_count=1,
        frame_duration_ms=200,
        svg_author=None,
        safety_identifier=None,
    )


def _text(given: Body, name: str) -> str | None:
    value = given.get(name)
    return value if isinstance(value, str) and value else None


def _integer(given: Body, name: str, default: int) -> int:
    value = given.get(name)
    return value if isinstance(value, int) else default


def _check_types(body: Body) -> None:
    for name, value in body.items():
        if value is None and name not in _NEVER_NULL:
            continue
        if name in _STRINGS and not isinstance(value, str):
            raise _wrong_type(name, "a string", value)
        if name in INTEGERS and (not isinstance(value, int) or isinstance(value, bool)):
            raise _wrong_type(name, "an integer", value)
        if name == "stream" and not isinstance(value, bool):
            raise _wrong_type(name, "a boolean", value)
        if name == "svg" and not isinstance(value, dict):
            raise _wrong_type(name, "an object", value)


def _wrong_type(name: str, wanted: str, value: object) -> Refusal:
    found = {bool: "a boolean", int: "an integer", float: "a decimal number", str: "a string", list: "an array"}.get(
        type(value), "null" if value is None else "an object"
    )
    message = f"Invalid type for '{name}': expected {wanted}, but got {found} instead."
    return refused(message, param=name, code="invalid_type")


def _prompt(given: Body, rules: ModelRules) -> str:
    prompt = given.get("prompt")
    if not isinstance(prompt, str):
        raise refused("Missing required parameter: 'prompt'.", param="prompt", code="missing_required_parameter")
    if not prompt:
        message = (
            "Invalid 'prompt': empty string. Expected a string with minimum length 1, but got an empty string instead."
        )
        raise refused(message, param="prompt", code="empty_string")
    if len(prompt) > rules.prompt_max:
        message = (
            f"Invalid 'prompt': string too long. Expected a string with maximum length {rules.prompt_max}, but got a "
            f"string with length {len(prompt)} instead."
        )
        raise refused(message, param="prompt", code="string_above_max_length")
    return prompt


def _check_values(given: Body, rules: ModelRules, vendor: Vendor) -> None:
    enums = {**_ENUMS, "output_format": rules.formats, "quality": (*rules.qualities, "auto")}
    if vendor == "azure":
        # Source: Azure OpenAI image how-to: PNG and JPEG only.
        enums["output_format"] = ("png", "jpeg")
    for name, values in enums.items():
        if name in given and given[name] not in values:
            raise refused(f"Invalid value: '{given[name]}'. Supported values are: {_spoken(values)}.", param=name)
    for name, (low, high) in _RANGES.items():
        if name in given:
            _check_range(name, _integer(given, name, low), low, high)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if value < low:
        message = f"Invalid '{name}': integer below minimum value. Expected a value >= {low}, but got {value} instead."
        raise refused(message, param=name, code="integer_below_min_value")
    if value > high:
        message = f"Invalid '{name}': integer above maximum value. Expected a value <= {high}, but got {value} instead."
        raise refused(message, param=name, code="integer_above_max_value")


def _spoken(values: tuple[str, ...]) -> str:
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return ", ".join(quoted[:-1]) + f", and {quoted[-1]}"


def _check_combinations(given: Body, output_format: str) -> None:
    if given.get("background") == "transparent" and output_format not in ("png", "webp"):
        message = f"Transparent background is not supported for output format '{output_format}'. Use 'png' or 'webp'."
        raise refused(message, param="background")
    if "output_compression" in given and output_format not in ("jpeg", "webp"):
        message = f"Output compression is not supported for output format '{output_format}'. Use 'jpeg' or 'webp'."
        raise refused(message, param="output_compression")
    for name in ("frame_count", "frame_duration_ms"):
        if name in given and output_format != "gif":
            raise refused(f"'{name}' is only supported with output_format 'gif'.", param=name)
    if "svg" in given and output_format != "svg":
        raise refused("'svg' is only supported with output_format 'svg'.", param="svg")
    if output_format in ("gif", "svg"):
        for name in ("stream", "partial_images"):
            if given.get(name):
                raise refused(f"'{name}' is not supported with output_format '{output_format}'.", param=name)
    if output_format == "svg" and given.get("n", 1) != 1:
        raise refused("SVG generation requires n=1.", param="n")


def _count(given: Body, rules: ModelRules) -> int:
    count = _integer(given, "n", 1)
    if count > 1 and rules.n_max == 1:
        raise refused("You must provide n=1 for this model.", param="n")
    _check_range("n", count, 1, rules.n_max)
    return count


def _quality(given: Body, rules: ModelRules, vendor: Vendor) -> str:
    quality = _text(given, "quality") or "auto"
    if quality != "auto":
        return quality
    # Source: Azure OpenAI image how-to: the default quality is high, medium for the mini model.
    if vendor == "azure" and not rules.is_dall_e and rules.name != "gpt-image-1-mini":
        return "high"
    return rules.auto_quality


def _size(given: Body, rules: ModelRules, frames: int) -> tuple[int, int]:
    asked = _text(given, "size") or "auto"
    if asked == "auto" and not (rules.is_dall_e and "size" in given):
        asked = _DEFAULT_GIF_SIZE if frames > 1 else "1024x1024"
    size = parse_size(asked)
    if rules.sizes is not None and asked not in rules.sizes:
        values = rules.sizes if rules.is_dall_e else (*rules.sizes, "auto")
        raise refused(f"Invalid value: '{asked}'. Supported values are: {_spoken(values)}.", param="size")
    if size is None:
        raise refused(f"Invalid size '{asked}'. Expected 'auto' or WIDTHxHEIGHT, such as '1024x1024'.", param="size")
    if rules.sizes is None:
        problem = _gif_size_problem(*size, frames) if frames > 1 else flexible_size_problem(*size)
        if problem:
            raise refused(f"Invalid size '{asked}'. {problem}", param="size")
    return size


def _gif_size_problem(width: int, height: int, frames: int) -> str | None:
    if width % 16 or height % 16:
        return "Width and height must both be divisible by 16."
    sheet = frame_sheet(width, height, frames)
    if max(sheet) > 3840:
        return f"{frames} frames of this size exceed the longest edge of 3840 pixels."
    return pixel_problem(sheet[0] * sheet[1])


def _svg_author(given: Body, output_format: str) -> str | None:
    if output_format != "svg":
        return None
    svg = given.get("svg")
    if not isinstance(svg, dict):
        return "simulated-svg-author"
    for name in svg:
        if name not in ("model", "reasoning"):
            raise refused(f"Unknown parameter: 'svg.{name}'.", param=f"svg.{name}", code="unknown_parameter")
    author = svg.get("model")
    if author is None:
        raise refused("Missing required parameter: 'svg.model'.", param="svg.model", code="missing_required_parameter")
    if not isinstance(author, str):
        raise _wrong_type("svg.model", "a string", author)
    return author
