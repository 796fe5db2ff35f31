"""What is seen in the sky."""

from __future__ import annotations

import math

from flowdsl_steps.image.simulator.pen import INK, WHITE, Pen
from flowdsl_steps.image.simulator.scenes.subject import AIR, SPACE, subject


@subject(
    SPACE,
    "d9a06a c96a4a 6a9ad9 9a7ad9",
    "saturn jupiter mars galaxy galaxies cosmos universe earth globe 🪐 🌍 🌎 🌏",
    weak="space",
)
def planet(pen: Pen) -> None:
    """A planet with its ring."""
    pen.oval("8a7aa8", 50, 50, 49, 15, -18)
    pen.oval("14122e", 50, 50, 40, 10.5, -18)
    pen.oval(pen.main, 50, 50, 30)
    for y, half, fill in ((38, 27, pen.light), (50, 29.5, pen.dark), (62, 27, pen.light)):
        pen.oval(fill, 50, y, half * 0.96, 3.4, -4)
    at: list[float] = []
    for step in range(25):
        angle = math.pi * step / 24
        at += (49 * math.cos(angle), 15 * math.sin(angle))
    for step in range(25):
        angle = math.pi - math.pi * step / 24
        at += (40 * math.cos(angle), 10.5 * math.sin(angle))
    cosine, sine = math.cos(math.radians(-18)), math.sin(math.radians(-18))
    turned = [
        v
        for x, y in zip(at[::2], at[1::2], strict=True)
        for v in (50 + x * cosine - y * sine, 50 + x * sine + y * cosine)
    ]
    pen.poly("c9b8e0", *turned)


@subject(SPACE, "f0e6c0 e6e9f0", "crescent lunar 🌙 🌛 🌕", weak="night")
def moon(pen: Pen) -> None:
    """A crescent moon."""
    at: list[float] = []
    for step in range(41):
        angle = math.radians(58 + 244 * step / 40)
        at += (52 + 42 * math.cos(angle), 50 + 42 * math.sin(angle))
    for step in range(31):
        angle = math.radians(296 - 232 * step / 30)
        at += (64 + 37 * math.cos(angle), 50 + 39 * math.sin(angle))
    pen.poly(pen.main, *at)
    for x, y, r in ((20, 46, 4), (26, 64, 3), (34, 24, 3)):
        pen.oval(pen.dark, x, y, r)
    for x, y, r in ((68, 40, 9), (86, 62, 6), (62, 68, 5)):
        pen.star("fde38a", x, y, r)


@subject(AIR, "f7c02e f5a92c", "sunshine sunny solar 🌞 ☀", weak="heat")
def sun(pen: Pen) -> None:
    """A sun with its rays and a smile."""
    pen.star("f0902c", 50, 50, 48, 14, 0.66)
    pen.oval(pen.main, 50, 50, 31)
    pen.eyes(50, 45, 10, 3.4)
    pen.curve("a5521a", 2.6, 39, 57, 50, 66, 61, 57)
    for side in (-1, 1):
        pen.oval("f59a5a", 50 + side * 19, 56, 4.4, 3)


@subject(SPACE, "f7c83a f5dc6a", "starry stars ⭐ 🌟 ✨")
def star(pen: Pen) -> None:
    """A large star."""
    pen.star(pen.dark, 50, 54, 48)
    pen.star(pen.main, 50, 53, 43)
    pen.star(pen.light, 50, 52, 20)


@subject(AIR, "f4f7fb e0e8f2", "clouds thunderstorm storm weather lightning thunder ☁ ⛈ ⚡", weak="sky")
def cloud(pen: Pen) -> None:
    """A cloud with lightning."""
    pen.poly("f7c83a", 52, 58, 34, 82, 48, 80, 42, 98, 66, 70, 52, 72, 60, 58)
    for x, y, r in ((24, 50, 18), (44, 34, 24), (68, 40, 20), (82, 54, 14)):
        pen.oval(pen.dark, x, y + 3, r)
    for x, y, r in ((24, 48, 17), (44, 32, 23), (68, 38, 19), (81, 52, 13)):
        pen.oval(pen.main, x, y, r)
    pen.box(pen.main, 16, 48, 74, 18, 9)


@subject(AIR, "d9423a", "🌈")
def rainbow(pen: Pen) -> None:
    """A rainbow between two clouds."""
    for index, fill in enumerate(("d9423a", "f0902c", "f5d03a", "5fb04a", "3a8ad9", "7a4ac9")):
        pen.pie(fill, 50, 80, 48 - index * 5, 180, 360)
    at: list[float] = []
    for step in range(33):
        angle = math.pi + math.pi * step / 32
        at += (50 + 18 * math.cos(angle), 80 + 18 * math.sin(angle))
    pen.poly("cfe8f7", *at)
    for x in (14, 86):
        for dx, dy, r in ((-8, 2, 9), (0, -4, 11), (9, 2, 9)):
            pen.oval(WHITE, x + dx, 80 + dy, r)


@subject(AIR, "d9423a 3a78c9 f0b429", "🪁 flag")
def kite(pen: Pen) -> None:
    """A kite on its line."""
    pen.curve(INK, 1.4, 58, 66, 46, 76, 56, 86, 40, 97)
    for x, y, fill in ((49, 74, "f0b429"), (54, 84, "3aa06a"), (44, 93, "d9423a")):
        for side in (-1, 1):
            pen.poly(fill, x, y, x + side * 9, y - 4, x + side * 9, y + 4)
    pen.poly(pen.main, 46, 2, 84, 30, 46, 34)
    pen.poly(pen.light, 46, 2, 14, 34, 46, 34)
    pen.poly(pen.dark, 14, 34, 46, 34, 58, 68)
    pen.poly("f7e3b0", 46, 34, 84, 30, 58, 68)
