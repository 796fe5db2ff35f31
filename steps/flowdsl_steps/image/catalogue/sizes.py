"""Which image sizes a model accepts, and the nearest one it would accept."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any


def parse_size(text: str) -> tuple[int, int] | None:
    """Width and height in pixels of `WIDTHxHEIGHT`, or None when the text has another form."""
    width, cross, height = text.partition("x")
    if cross and width.isascii() and width.isdigit() and height.isascii() and height.isdigit() and len(text) <= 20:
        pair = (int(width), int(height))
        return pair if min(pair) > 0 else None
    return None


def tidy_size(text: str) -> str | None:
    """`WIDTHxHEIGHT` for the other ways in which people write a size, `1024 × 1024` or `1024*1024`; else None."""
    match = re.compile(_WRITTEN).fullmatch(text)
    return f"{match[1]}x{match[2]}" if match else None


def _of_ratio(text: str) -> str | None:
    """A size of a ratio, `16:9`, a shape in words, `landscape`, or one edge, `1024`, with edges that most models have;
    else None."""
    word = text.strip().lower()
    if word in _SHAPES:
        return _SHAPES[word]
    if re.fullmatch(r"[1-9][0-9]{2,4}", word):
        return f"{word}x{word}"
    match = re.compile(_RATIO).fullmatch(word)
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    longer = 1536 / max(width, height) if width != height else 1024 / width
    return f"{round(width * longer)}x{round(height * longer)}"


_SHAPES = {
    **dict.fromkeys(("landscape", "horizontal", "wide"), "1536x1024"),
    **dict.fromkeys(("portrait", "vertical", "tall"), "1024x1536"),
    "square": "1024x1024",
}
_RATIO = r"([1-9][0-9]?):([1-9][0-9]?)"
_WRITTEN = r"\s*([1-9][0-9]{0,5})\s*(?:[xX×✕✖⨯*]|by)\s*([1-9][0-9]{0,5})\s*(?:px)?\s*"


class Sizes:
    """The sizes of one model: a list, or any size within limits.

    Limits are `multiple_of`, and any of `min_edge`, `max_edge`, `max_ratio`, `min_pixels` and `max_pixels`.
    `values` are the listed (or recommended) sizes, `default` is what an absent size means, `auto` says whether the
    model may choose.
    """

    __slots__ = ("_limits", "auto", "default", "values")

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.values: tuple[str, ...] = tuple(data["values"])
        self.default: str = data["default"]
        self.auto: bool = data["auto"]
        self._limits: Mapping[str, Any] | None = data if "multiple_of" in data else None

    def fault(self, size: str) -> str | None:
        """Why the model does not accept the size, or None when it does. Says nothing of what `auto` gives."""
        if size in self.values or (size == "auto" and self.auto):
            return None
        if self._limits is None:
            return "it is none of the model's sizes"
        pair = parse_size(size)
        return self._beyond(*pair) if pair else "it is not WIDTHxHEIGHT"

    def is_experimental(self, size: str) -> bool:
        """Whether the vendor calls a size of this many pixels experimental."""
        pair = parse_size(size)
        most = (self._limits or {}).get("experimental_above")
        return bool(most and pair and pair[0] * pair[1] > most)

    def extremes(self) -> tuple[str, ...]:
        """The largest and the narrowest size within the limits; none where there is a list."""
        limits = self._limits
        if limits is None or "max_pixels" not in limits:
            return ()
        unit = limits["multiple_of"]
        large = math.isqrt(limits["max_pixels"]) // unit * unit
        ratio = limits.get("max_ratio", 1)
        small = -(-math.ceil(math.sqrt(limits.get("min_pixels", unit * unit) / ratio)) // unit) * unit
        return f"{large}x{large}", f"{small * ratio}x{small}"

    def describe(self) -> str:
        """What is taken, in words: the list, or the limits."""
        auto = ", or auto" if self.auto else ""
        limits = self._limits
        if limits is None:
            return ", ".join(self.values) + auto
        said = []
        if limits["multiple_of"] > 1:
            said.append(f"both a multiple of {limits['multiple_of']}")
        if "min_edge" in limits:
            said.append(f"edges of {limits['min_edge']} to {limits['max_edge']}")
        elif "max_edge" in limits:
            said.append(f"no edge above {limits['max_edge']}")
        if "max_ratio" in limits:
            said.append(f"at most {limits['max_ratio']}:1")
        if "max_pixels" in limits:
            least = f"{limits['min_pixels']:,} to" if "min_pixels" in limits else "at most"
            said.append(f"{least} {limits['max_pixels']:,} pixels")
        rest = f"{', '.join(said[:-1])}, and {said[-1]}" if len(said) > 2 else " and ".join(said)
        return f"WIDTHxHEIGHT with {rest}{auto}"

    def nearest(self, size: str) -> tuple[str, ...]:
        """The one or two closest sizes the model accepts, best first; empty when the text is no size at all."""
        tidy = tidy_size(size) or _of_ratio(size) or size.strip().lower()
        if self.fault(tidy) is None:
            return (tidy,)
        pair = parse_size(tidy)
        if pair is None:
            return ()
        listed = self._nearest_listed(*pair)
        if self._limits is None or (
            pair[0] * pair[1] < self._limits.get("min_pixels", 0) and _ratio(listed) == pair[0] / pair[1]
        ):
            return (listed,)
        return self._nearest_within(*pair)

    def _beyond(self, width: int, height: int) -> str | None:
        limits = self._limits or {}
        step, pixels = limits["multiple_of"], width * height
        if width % step or height % step:
            wrong = " and ".join(str(edge) for edge in dict.fromkeys((width, height)) if edge % step)
            return f"{wrong} {'are' if ' and ' in wrong else 'is'} no multiple of {step}"
        most, least = limits.get("max_edge", math.inf), limits.get("min_edge", 0)
        if max(width, height) > most:
            return f"its longer edge is above {most}"
        if min(width, height) < least:
            return f"its shorter edge is below {least}"
        if max(width, height) > limits.get("max_ratio", math.inf) * min(width, height):
            return f"it is longer than {limits['max_ratio']}:1"
        if pixels < limits.get("min_pixels", 0):
            return f"it has {pixels:,} pixels, fewer than {limits['min_pixels']:,}"
        if pixels > limits.get("max_pixels", math.inf):
            return f"it has {pixels:,} pixels, more than {limits['max_pixels']:,}"
        return None

    def _nearest_listed(self, width: int, height: int) -> str:
        def distance(value: str) -> tuple[float, int]:
            w, h = parse_size(value) or (1, 1)
            ratio = max(w * height, width * h) / min(w * height, width * h)
            return ratio, abs(w * h - width * height)

        return min(self.values, key=distance)

    def _nearest_within(self, width: int, height: int) -> tuple[str, ...]:
        """Bring the size into the limits with its ratio kept, then try the multiples around it."""
        limits = self._limits or {}
        step = limits["multiple_of"]
        w, h = _scaled(width, height, limits)
        around = [
            (x, y)
            for x in range((int(w) // step - 2) * step, int(w) + 3 * step, step)
            for y in range((int(h) // step - 2) * step, int(h) + 3 * step, step)
            if x > 0 and y > 0 and self._beyond(x, y) is None
        ]
        ranked = sorted((round(abs(x - w) + abs(y - h), 6), abs(x / y - w / h), x * y, x, y) for x, y in around)
        if not ranked:  # limits that leave nothing of this shape
            return (self._nearest_listed(width, height),)
        best = [entry for entry in ranked[:2] if entry[0] == ranked[0][0]]
        return tuple(f"{x}x{y}" for *_, x, y in best)


def _ratio(size: str) -> float:
    width, height = parse_size(size) or (1, 1)
    return width / height


def _scaled(width: float, height: float, limits: Mapping[str, Any]) -> tuple[float, float]:
    ratio: float = limits.get("max_ratio", math.inf)
    width, height = min(width, height * ratio), min(height, width * ratio)
    most, pixels = limits.get("max_edge", math.inf), limits.get("max_pixels", math.inf)
    shrink = min(1.0, most / max(width, height), (pixels / (width * height)) ** 0.5)
    least = limits.get("min_edge", 0) / min(width, height)
    grow = max(1.0, least, (limits.get("min_pixels", 0) / (width * height)) ** 0.5)
    return width * shrink * grow, height * shrink * grow
