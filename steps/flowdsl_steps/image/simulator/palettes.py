"""Colours of the times of day, and the words of a prompt that call for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one mood: the sky from zenith to horizon, the silhouettes' ink, the sun, the windows."""

    sky: tuple[Colour, ...]
    ink: Colour
    sun: Colour
    lamp: Colour
    stars: bool = False


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """The colour `share` of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def colour_of(text: str) -> Colour:
    """The colour of six hexadecimal digits."""
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


def _palette(sky: str, ink: str, sun: str, lamp: str, *, stars: bool = False) -> Palette:
    return Palette(tuple(map(colour_of, sky.split())), colour_of(ink), colour_of(sun), colour_of(lamp), stars)


PALETTES: Mapping[str, Palette] = {
    "sunset": _palette("261a4e 8c3270 ee6c58 ffc880", "1a102c", "fff0cc", "ffd68a"),
    "dawn": _palette("3e5496 8e8ec8 f0b8b8 ffe6cc", "282e58", "fffae8", "ffecbe"),
    "night": _palette("06091e 0e183e 22346a 54689a", "050816", "f0f4ff", "ffd88c", stars=True),
    "day": _palette("2e74c4 68aae4 aed8f2 f0f6f0", "1e4668", "fffff0", "d6ecfa"),
    "aurora": _palette("050c20 0a2e42 1e706c 96d2aa", "04101a", "ecfff6", "beffd6", stars=True),
    "desert": _palette("5c325c c45c58 f09c62 ffd89c", "4c1e2c", "fff6d6", "ffe2a0"),
    "violet": _palette("160e38 4e2a8a b858c4 ffb2cc", "120a2c", "ffecf8", "7ef0ff"),
}
_WORDS: Mapping[str, str] = {
    "sunset": "sunset dusk golden evening",
    "dawn": "dawn sunrise morning winter snow",
    "night": "night moon star",
    "aurora": "aurora northern forest",
    "desert": "desert canyon mars autumn",
    "violet": "neon cyber futur dream",
    "day": "summer beach ocean sea sky",
}


def mood_of(prompt: str) -> str | None:
    """The palette the words of a prompt call for, if any do."""
    words = re.findall(r"[^\W_]+", prompt.lower())
    return next((mood for mood, calls in _WORDS.items() if any(_calls(word, calls) for word in words)), None)


def _calls(word: str, calls: str) -> bool:
    # A long one calls with its derivatives too (midnight, futuristic), a short one as it is: a season has no sea.
    return any(call in word if len(call) >= 5 else word in (call, call + "s") for call in calls.split())
