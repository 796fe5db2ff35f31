"""The landscapes of simulated pictures: a sky, a sun or moon, three silhouettes and water, all derived from a digest.

Pure geometry in pixels; `raster` paints it and `vector` writes it as SVG.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from flowdsl_steps.image.simulator.palettes import PALETTES, Colour, Palette, mix, mood_of

Point = tuple[float, float]
Box = tuple[float, float, float, float]

HORIZON = 0.73


@dataclass(frozen=True, slots=True)
class Layer:
    """One silhouette: its colour at the top and at the waterline, its outlines and its lit windows."""

    top: Colour
    foot: Colour
    outlines: tuple[tuple[Point, ...], ...]
    windows: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture before it is painted. `horizon` is the waterline's y; `phase` in [0, 1) is the place in a loop."""

    width: int
    height: int
    horizon: int
    palette: Palette
    sun: tuple[float, float, float]
    stars: tuple[tuple[float, float, float], ...]
    layers: tuple[Layer, ...]
    phase: float


def digest_of(*parts: object) -> str:
    """A hexadecimal digest of the parts, the same on every machine."""
    return sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def compose(prompt: str, digest: str, width: int, height: int, phase: float = 0.0, *, city: bool = True) -> Scene:
    """The landscape of a prompt, with buildings or without: the mood follows its words, the rest the digest."""
    taste = random.Random(digest_of(prompt))
    palette = PALETTES[mood_of(prompt) or taste.choice(sorted(PALETTES))]
    chance = random.Random(digest)
    horizon = round(height * HORIZON)
    short = min(width, height)
    sway = math.sin(math.tau * phase)
    sun = (
        width * chance.uniform(0.24, 0.76),
        horizon - short * (chance.uniform(0.30, 0.46) + 0.012 * sway),
        short * chance.uniform(0.065, 0.1),
    )
    stars = tuple(
        (chance.uniform(0, width), chance.uniform(0, horizon * 0.8), chance.uniform(0.4, 1.0))
        for _ in range(140 if palette.stars else 0)
    )
    build = _city_layer if city else _ridge_layer
    layers = tuple(build(chance, palette, width, horizon, short, depth) for depth in range(3))
    return Scene(width, height, horizon, palette, sun, stars, layers, phase)


def _tones(palette: Palette, depth: int) -> tuple[Colour, Colour]:
    top = mix(palette.sky[2], palette.ink, (0.30, 0.66, 0.94)[depth])
    return top, mix(top, palette.sky[3], (0.62, 0.34, 0.08)[depth])


def _city_layer(chance: random.Random, palette: Palette, width: int, horizon: int, short: int, depth: int) -> Layer:
    outlines: list[tuple[Point, ...]] = []
    windows: list[Box] = []
    centre = width * chance.uniform(0.3, 0.7)
    x = -short * 0.03
    while x < width:
        breadth = short * chance.uniform(0.035, 0.075) * (0.8 + 0.25 * depth)
        bump = math.exp(-(((x - centre) / (0.42 * width)) ** 2))
        tall = short * (0.05 + 0.40 * bump * chance.uniform(0.35, 1.0)) * (1.0, 0.74, 0.46)[depth]
        outlines.append(_building(chance, x, breadth, horizon, tall))
        if depth and tall > short * 0.06:
            windows += _lit(chance, x, breadth, horizon, tall, short, 0.34 if palette.stars else 0.2)
        x += breadth * chance.uniform(0.92, 1.25)
    top, foot = _tones(palette, depth)
    return Layer(top, foot, tuple(outlines), tuple(windows))


def _building(chance: random.Random, x: float, breadth: float, horizon: int, tall: float) -> tuple[Point, ...]:
    left, right, roof = x, x + breadth, horizon - tall
    middle, lift = (left + right) / 2, breadth * chance.uniform(0.3, 0.9)
    inset, dome = breadth * 0.2, breadth / 2
    arch = [math.pi * step / 8 for step in range(1, 8)]
    crowns: tuple[tuple[Point, ...], ...] = (
        (),
        ((right, roof - lift * 0.6),),
        (
            (left + inset, roof),
            (left + inset, roof - lift * 0.5),
            (right - inset, roof - lift * 0.5),
            (right - inset, roof),
        ),
        (
            (middle - breadth * 0.06, roof - lift * 0.5),
            (middle, roof - lift * 1.9),
            (middle + breadth * 0.06, roof - lift * 0.5),
        ),
        tuple((middle - dome * math.cos(angle), roof - dome * 0.68 * math.sin(angle)) for angle in arch),
    )
    crown = chance.choices(crowns, weights=(5, 2, 3, 2, 1))[0]
    eaves = () if len(crown) == 1 else ((right, roof),)
    return ((left, horizon), (left, roof), *crown, *eaves, (right, horizon))


def _lit(
    chance: random.Random, x: float, breadth: float, horizon: int, tall: float, short: int, share: float
) -> list[Box]:
    step = max(short * 0.0135, 4.0)
    columns, rows = int(breadth * 0.8 / step), int(tall * 0.9 / step)
    left = x + (breadth - columns * step) / 2
    return [
        (at_x, at_y, at_x + step * 0.5, at_y + step * 0.55)
        for column in range(columns)
        for row in range(rows)
        if chance.random() < share
        for at_x, at_y in [(left + (column + 0.25) * step, horizon - tall + (row + 0.8) * step)]
    ]


def _ridge_layer(chance: random.Random, palette: Palette, width: int, horizon: int, short: int, depth: int) -> Layer:
    rise = short * (0.36, 0.22, 0.10)[depth]
    heights = [chance.uniform(0.3, 1.0) for _ in range(max(3, round(width / short * (3, 4, 5)[depth])))]
    rough = 0.42
    for _ in range(6):
        longer = [heights[0]]
        for one, other in pairwise(heights):
            longer += [(one + other) / 2 + chance.uniform(-rough, rough) * 0.5, other]
        heights, rough = longer, rough * 0.52
    spacing = width / (len(heights) - 1)
    crest = tuple((i * spacing, horizon - rise * max(0.06, h)) for i, h in enumerate(heights))
    top, foot = _tones(palette, depth)
    return Layer(top, foot, (((0.0, horizon), *crest, (float(width), horizon)),), ())
