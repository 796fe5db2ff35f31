"""A simulated picture before it is painted: the subject of the prompt, large, in front of what surrounds it."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from flowdsl_steps.image.simulator.backdrop import Frame, backdrop, tones_of
from flowdsl_steps.image.simulator.palettes import Colour, colour_of, mix, mood_of
from flowdsl_steps.image.simulator.pen import INK, Pen, Shape
from flowdsl_steps.image.simulator.scene import Scene, compose, digest_of
from flowdsl_steps.image.simulator.scenes.abstract import pattern
from flowdsl_steps.image.simulator.scenes.subject import AIR, CITY, RIDGE, SPACE, UNDER, Subject, subject_of

_COLOURS: Mapping[str, str] = {
    "red": "d9342c", "scarlet": "d9342c", "crimson": "b0203a", "orange": "ee8a2c", "yellow": "f5c92e",
    "golden": "e0b02c", "gold": "e0b02c",
    "green": "4a9a4a", "turquoise": "3fb8b0", "teal": "2f8f8f", "blue": "3a72d0", "navy": "22386a",
    "purple": "7a48b8", "violet": "8a5ad0", "pink": "f08ab0", "brown": "8a5a36", "black": "37343e", "white": "f6f4ee",
    "grey": "8f939c", "gray": "8f939c", "silver": "b8bec8", "beige": "e0d0b0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """A picture to paint: a gradient and filled outlines over it in pixels, or a whole landscape.

    `accent` and `ink` are the colours of the caption's bar and of its shade.
    """

    width: int
    height: int
    sky: tuple[Colour, Colour]
    shapes: tuple[Shape, ...]
    accent: Colour
    ink: Colour
    landscape: Scene | None = None


def view_of(prompt: str, digest: str, width: int, height: int, phase: float = 0.0) -> View:
    """The picture of a prompt: its words decide the subject, the digest the rest; the same on every machine."""
    found = subject_of(prompt)
    if found is not None and found.setting in (CITY, RIDGE):
        scene = compose(prompt, digest, width, height, phase, city=found.setting == CITY)
        return View(width, height, scene.palette.sky[:2], (), scene.palette.sun, scene.palette.ink, scene)  # type: ignore[arg-type]
    if found is None:
        return _abstract(prompt, digest, width, height, phase)
    return _portrait(found, prompt, digest, width, height, phase)


def _portrait(found: Subject, prompt: str, digest: str, width: int, height: int, phase: float) -> View:
    taste, chance = random.Random(digest_of(prompt)), random.Random(digest)
    main = _named_colour(prompt) or colour_of(taste.choice(found.colours))
    frame = Frame(
        width, height, tones_of(found.setting, mood_of(prompt), random.Random(digest_of(prompt, digest))), chance, phase
    )
    pen = Pen(mix(main, (255, 255, 255) if chance.random() < 0.5 else INK, chance.uniform(0, 0.1)))
    found.draw(pen)
    behind = backdrop(found.setting, frame)
    floats = found.setting in (AIR, SPACE, UNDER)
    side = frame.short * (0.66 if floats else 0.68) * chance.uniform(0.94, 1.04)
    sway = math.sin(math.tau * phase) * frame.short * (0.014 if floats else 0.004)
    x = width / 2 - side / 2 + width * chance.uniform(-0.04, 0.04)
    y = (frame.ground - side * 0.98 if floats else frame.ground + frame.short * 0.025 - side * 0.95) + sway
    shapes = _placed(pen.shapes, x, y, side / 100, mirrored=chance.random() < 0.4)
    tones = frame.tones
    return View(width, height, (tones.top, tones.low), (*behind, *shapes), pen.light, mix(tones.ground, INK, 0.75))


def _abstract(prompt: str, digest: str, width: int, height: int, phase: float) -> View:
    pen = Pen(INK)
    pattern(pen, random.Random(digest_of(prompt, digest)))
    short = min(width, height)
    scale = short / 100 * (1 + 0.02 * math.sin(math.tau * phase))
    shapes = _placed(pen.shapes, (width - 100 * scale) / 2, (height - 100 * scale) / 2, scale, mirrored=False)
    fill = pen.shapes[0].fill
    return View(width, height, (fill, fill), shapes, pen.shapes[-1].fill, INK)


def _placed(shapes: list[Shape], x: float, y: float, scale: float, *, mirrored: bool) -> tuple[Shape, ...]:
    def at(across: float) -> float:
        return x + (100 - across if mirrored else across) * scale

    return tuple(Shape(tuple((at(a), y + b * scale) for a, b in shape.outline), shape.fill) for shape in shapes)


def _named_colour(prompt: str) -> Colour | None:
    return next((colour_of(_COLOURS[word]) for word in re.findall(r"[a-z]+", prompt.lower()) if word in _COLOURS), None)
