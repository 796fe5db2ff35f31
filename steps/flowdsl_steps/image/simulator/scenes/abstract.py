"""Patterns for prompts about nothing that can be drawn, each as different from the others as can be."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from flowdsl_steps.image.simulator.palettes import Colour, colour_of
from flowdsl_steps.image.simulator.pen import Pen

_INKS = (
    "264653 2a9d8f e9c46a f4a261 e76f51",
    "3d348b 7678ed f7b801 f18701 f35b04",
    "0b3954 087e8b bfd7ea ff5a5f c81d25",
    "2d3142 4f5d75 bfc0c0 ef8354 fbf6ea",
    "5f0f40 9a031e fb8b24 e36414 0f4c5c",
    "006d77 83c5be edf6f9 ffddd2 e29578",
    "22223b 4a4e69 9a8c98 c9ada7 f2e9e4",
    "132a13 4f772d 90a955 ecf39e fbf6ea",
    "70d6ff ff70a6 ff9770 ffd670 e9ff70",
    "10002b 5a189a 9d4edd e0aaff f7f0ff",
)


def pattern(pen: Pen, chance: random.Random) -> None:
    """One of the patterns over a square of 100 by 100 and a good deal beyond it."""
    inks = tuple(map(colour_of, chance.choice(_INKS).split()))
    pen.box(inks[0], -150, -150, 400, 400)
    chance.choice(_PATTERNS)(pen, inks, chance)


def _rings(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    x, y = chance.uniform(25, 75), chance.uniform(20, 60)
    for index in range(16, 0, -1):
        pen.oval(inks[index % len(inks)], x, y, index * 8.5)


def _sunburst(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    x, y, turn = chance.uniform(25, 75), chance.uniform(30, 75), chance.uniform(0, 20)
    for index in range(20):
        pen.pie(inks[index % len(inks)], x, y, 230, turn + index * 18, turn + index * 18 + 18.2)
    pen.oval(inks[-1], x, y, 13)


def _mosaic(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    side = chance.choice((12, 16, 20))
    for column in range(-8, 14):
        for row in range(-8, 14):
            x, y = column * side, row * side
            pen.box(chance.choice(inks), x, y, side, side)
            pen.poly(chance.choice(inks), x, y, x + side, y, *(chance.choice(((x, y + side), (x + side, y + side)))))


def _waves(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    swell, waves = chance.uniform(6, 14), chance.uniform(0.012, 0.03)
    for row in range(-6, 16):
        y = row * 11.0
        edge = [
            v for x in range(-100, 202, 3) for v in (float(x), y + swell * math.sin(math.tau * x * waves + row * 0.9))
        ]
        pen.poly(inks[row % len(inks)], *edge, 202, 260, -100, 260)


def _bubbles(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    for _ in range(70):
        x, y, radius = chance.uniform(-60, 160), chance.uniform(-60, 160), chance.uniform(4, 17)
        pen.oval(chance.choice(inks[1:]), x, y, radius)
        pen.oval(inks[0], x, y, radius * 0.62)
        pen.oval(chance.choice(inks[1:]), x, y, radius * 0.4)


def _stripes(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    lean, x = chance.choice((-90, -45, 45, 90)), -260.0
    while x < 360:
        wide = chance.uniform(5, 22)
        pen.poly(chance.choice(inks), x, -150, x + wide, -150, x + wide + lean * 4, 250, x + lean * 4, 250)
        x += wide


def _triangles(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    for _ in range(46):
        x, y, radius, turn = (chance.uniform(*ends) for ends in ((-60, 160), (-60, 160), (12, 34), (0, 6.3)))
        corners = [
            v
            for k in range(3)
            for v in (x + radius * math.cos(turn + k * 2.09), y + radius * math.sin(turn + k * 2.09))
        ]
        pen.poly(chance.choice(inks), *corners)


def _shards(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    turn, angle = chance.uniform(0, 90), 0.0
    while angle < 360:
        wide = chance.uniform(14, 44)
        pen.pie(chance.choice(inks), 50, 45, chance.uniform(24, 62), turn + angle, turn + angle + wide)
        angle += wide
    pen.oval(inks[0], 50, 45, 14)


def _steps(pen: Pen, inks: tuple[Colour, ...], chance: random.Random) -> None:
    for index in range(-10, 18):
        tall = chance.uniform(14, 72)
        pen.box(inks[1 + index % (len(inks) - 1)], index * 9.0, 74 - tall, 7.4, 200, 3.7)


_PATTERNS: tuple[Callable[[Pen, tuple[Colour, ...], random.Random], None], ...] = (
    _rings, _sunburst, _mosaic, _waves, _bubbles, _stripes, _triangles, _shards, _steps,
)  # fmt: skip
