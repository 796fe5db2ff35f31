"""What surrounds a subject: hills, the sea, a table, clouds, stars or the deep, as filled outlines in pixels."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flowdsl_steps.image.simulator.palettes import PALETTES, Colour, colour_of, mix
from flowdsl_steps.image.simulator.pen import Pen, Point, Shape
from flowdsl_steps.image.simulator.scenes.subject import AIR, LAND, SEA, SPACE, TABLE, UNDER

GROUND = 0.76
"""Where a subject stands, as a share of the height: below it is the caption."""


@dataclass(frozen=True, slots=True)
class Tones:
    """The colours of a backdrop: the sky above and below, what is far, and the ground."""

    top: Colour
    low: Colour
    far: Colour
    ground: Colour


_TONES: Mapping[str, tuple[str, ...]] = {
    LAND: (
        "8fd0f0 eaf7f0 a8d0a0 7fb86a",
        "f7c98a fdeccc dcae80 c9935f",
        "b8a8e0 f9dfe6 ac96c6 8f7eae",
        "9fe0d0 f4f8de 86c4a6 66a680",
    ),
    SEA: (
        "7cc4ec e6f6fb 5aa0c8 3f86b4",
        "f7b88a fdebd0 d98a7a 8a6a94",
        "a8d8d0 f4f8ec 5aa8a0 3a8a86",
        "c0b4e8 fae4ea 8a86c4 6a6cae",
    ),
    TABLE: (
        "f6e2c6 fbf1e0 f0cfa4 c98f5f",
        "d6e8f2 f0f7fa b4d4e6 8aa8bc",
        "f4d4d8 fcecec ecb4bc b8848c",
        "dceed8 f4faf0 b8dcb2 8aae86",
        "e4daf2 f6f1fb cbb8e6 9a86b8",
        "fdf0b8 fef9e2 f7de84 cfae58",
    ),
    AIR: (
        "5fb0ea d4effb ffffff bfe0f2",
        "f2a8a0 fdeccc fff6e6 f7d2b4",
        "88a8f0 e6ecff ffffff c4d2fa",
        "6fd0c8 e4faf2 ffffff bfeade",
    ),
    SPACE: (
        "0c0a24 2a1c58 4a2f86 1a1440",
        "040c20 123a58 1e5a7a 0a2440",
        "1c0820 4a1440 7a2460 300c30",
        "0a1418 1a3c40 2c5c58 0e2628",
    ),
    UNDER: (
        "4ab0d8 0c4a7c 1c6a9c 0a3a60",
        "4ac0a8 0a5a5c 1a7c78 084448",
        "6a90e0 1a2c78 3450a8 121f58",
    ),
}
"""Of each setting, the colours it comes in: `top low far ground`."""


def tones_of(setting: str, mood: str | None, chance: random.Random) -> Tones:
    """The colours of a setting, those of the time of day where the prompt names one."""
    if mood is not None and setting in (LAND, SEA, AIR):
        palette = PALETTES[mood]
        return Tones(
            palette.sky[0],
            palette.sky[3],
            mix(palette.sky[2], palette.ink, 0.3),
            mix(palette.sky[2], palette.ink, 0.62 if setting != AIR else 0.1),
        )
    top, low, far, ground = map(colour_of, chance.choice(_TONES[setting]).split())
    return Tones(top, low, far, ground)


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a picture and what draws in it: `phase` in [0, 1) is the place in a loop."""

    width: int
    height: int
    tones: Tones
    chance: random.Random
    phase: float = 0.0

    @property
    def short(self) -> int:
        """The shorter side."""
        return min(self.width, self.height)

    @property
    def ground(self) -> float:
        """The y where a subject stands."""
        return self.height * GROUND


def backdrop(setting: str, frame: Frame) -> list[Shape]:
    """The shapes behind a subject, in pixels, over the gradient from `top` to `low`."""
    return _BACKDROPS[setting](frame)


def _oval(fill: Colour, x: float, y: float, across: float, down: float | None = None) -> Shape:
    pen = Pen(fill)
    pen.oval(fill, x, y, across, down)
    return pen.shapes[0]


def _hill(frame: Frame, fill: Colour, top: float, swell: float, waves: float) -> Shape:
    begin = frame.chance.uniform(0, math.tau)
    edge: list[Point] = [
        (
            frame.width * step / 40,
            top - swell * (0.5 + 0.5 * math.sin(begin + waves * math.tau * step / 40)),
        )
        for step in range(41)
    ]
    return Shape(((0, frame.height), *edge, (frame.width, frame.height)), fill)


def _land(frame: Frame) -> list[Shape]:
    short, tones, chance = frame.short, frame.tones, frame.chance
    x, y = frame.width * chance.choice((0.14, 0.2, 0.8, 0.86)), frame.height * chance.uniform(0.12, 0.2)
    return [
        _oval(mix(mix(tones.top, tones.low, 0.3), (255, 246, 214), 0.35), x, y, short * 0.11),
        _oval(mix(tones.low, (255, 248, 220), 0.75), x, y, short * 0.075),
        *_cloud(frame, frame.width - x, y * chance.uniform(0.7, 1.3), short * 0.055),
        _hill(
            frame, mix(tones.far, tones.low, 0.45), frame.ground - short * 0.1, short * 0.13, chance.uniform(1.0, 2.2)
        ),
        _hill(frame, tones.far, frame.ground - short * 0.03, short * 0.07, chance.uniform(0.8, 1.6)),
        _hill(frame, tones.ground, frame.ground + short * 0.02, short * 0.03, chance.uniform(0.4, 0.8)),
        _oval(
            mix(tones.ground, (30, 30, 40), 0.22),
            frame.width / 2,
            frame.ground + short * 0.015,
            short * 0.33,
            short * 0.03,
        ),
    ]


def _sea(frame: Frame) -> list[Shape]:
    short, tones, chance = frame.short, frame.tones, frame.chance
    x, y = frame.width * chance.choice((0.16, 0.84)), frame.height * chance.uniform(0.14, 0.3)
    level = frame.ground - short * 0.09
    shapes = [
        _oval(mix(tones.low, (255, 250, 226), 0.7), x, y, short * 0.08),
        *_cloud(frame, frame.width - x, y * 0.8, short * 0.05),
        Shape(((0, level), (frame.width, level), (frame.width, frame.height), (0, frame.height)), tones.far),
    ]
    for row in range(3):
        fill = mix(tones.far, tones.ground, (row + 1) / 3)
        shapes.append(_hill(frame, fill, level + short * (0.05 + 0.07 * row), short * 0.018, 5 - row))
    return shapes


def _table(frame: Frame) -> list[Shape]:
    short, tones = frame.short, frame.tones
    edge = frame.ground - short * 0.06
    x = frame.width * frame.chance.uniform(0.46, 0.54)
    return [
        _oval(tones.far, x, frame.ground - short * 0.34, short * 0.39),
        Shape(((0, edge), (frame.width, edge), (frame.width, frame.height), (0, frame.height)), tones.ground),
        Shape(
            ((0, edge), (frame.width, edge), (frame.width, edge + short * 0.012), (0, edge + short * 0.012)),
            mix(tones.ground, (255, 255, 255), 0.25),
        ),
        _oval(
            mix(tones.ground, (30, 24, 30), 0.25),
            frame.width / 2,
            frame.ground + short * 0.012,
            short * 0.34,
            short * 0.032,
        ),
    ]


def _cloud(frame: Frame, x: float, y: float, size: float) -> list[Shape]:
    fill = mix(frame.tones.low, (255, 255, 255), 0.6)
    x += size * 0.3 * math.sin(math.tau * frame.phase)
    return [
        _oval(fill, x + size * dx, y + size * dy, size * r)
        for dx, dy, r in ((-1.2, 0.2, 0.7), (0, -0.1, 1.0), (1.2, 0.2, 0.8))
    ]


def _air(frame: Frame) -> list[Shape]:
    shapes: list[Shape] = []
    for x, y in ((0.14, 0.2), (0.86, 0.14), (0.1, 0.66), (0.9, 0.6)):
        x += frame.chance.uniform(-0.05, 0.05)
        shapes += _cloud(frame, frame.width * x, frame.height * y, frame.short * frame.chance.uniform(0.05, 0.085))
    return shapes


def _space(frame: Frame) -> list[Shape]:
    chance, short, tones = frame.chance, frame.short, frame.tones
    shapes = [
        _oval(mix(tones.low, tones.far, 0.5), frame.width * 0.5, frame.height * 0.42, short * 0.46),
        _oval(tones.far, frame.width * 0.5, frame.height * 0.42, short * 0.36),
    ]
    for index in range(90):
        light = chance.uniform(0.35, 1.0) * (0.85 + 0.15 * math.sin(math.tau * (frame.phase + index / 7)))
        place = chance.uniform(0, frame.width), chance.uniform(0, frame.height)
        shapes.append(_oval(mix(tones.low, (255, 255, 255), light), *place, short * 0.0035 * (0.5 + light)))
    return shapes


def _under(frame: Frame) -> list[Shape]:
    chance, short, tones = frame.chance, frame.short, frame.tones
    shapes = []
    for index in range(3):
        x = frame.width * (0.1 + 0.3 * index + chance.uniform(0, 0.1))
        wide = frame.width * 0.07
        ray = ((x, 0), (x + wide, 0), (x + wide * 3, frame.ground), (x + wide * 0.6, frame.ground))
        shapes.append(Shape(ray, mix(tones.top, tones.far, 0.55)))
    shapes.append(_oval(mix(tones.far, tones.top, 0.35), frame.width / 2, frame.height * 0.42, short * 0.4))
    for index in range(14):
        x, y = chance.uniform(0, frame.width), (chance.uniform(0, 1) - frame.phase) % 1 * frame.ground
        shapes.append(_oval(mix(tones.top, (255, 255, 255), 0.5), x, y, short * (0.004 + 0.001 * (index % 6))))
    shapes.append(_hill(frame, tones.ground, frame.ground + short * 0.06, short * 0.05, 1.5))
    for side in (0.06, 0.13, 0.9):
        pen = Pen(tones.far)
        foot, tall = frame.ground + short * 0.08, short * chance.uniform(0.2, 0.34)
        x, lean = frame.width * side, short * 0.02 * math.sin(math.tau * frame.phase)
        pen.curve(
            (54, 130, 96),
            short * 0.022,
            x,
            foot,
            x + short * 0.03 + lean,
            foot - tall * 0.4,
            x - short * 0.02,
            foot - tall * 0.7,
            x + lean,
            foot - tall,
        )
        shapes += pen.shapes
    return shapes


_BACKDROPS: Mapping[str, Callable[[Frame], list[Shape]]] = {
    LAND: _land,
    SEA: _sea,
    TABLE: _table,
    AIR: _air,
    SPACE: _space,
    UNDER: _under,
}
