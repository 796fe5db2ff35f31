"""Places and buildings."""

from __future__ import annotations

import math

from flowdsl_steps.image.simulator.pen import Pen
from flowdsl_steps.image.simulator.scenes.subject import CITY, LAND, RIDGE, SEA, subject


@subject(
    CITY,
    "888888",
    "skyline skyscraper downtown metropolis cities 🌆 🏙 🌃",
    weak="street town urban building office tower neon",
)
def city(pen: Pen) -> None:
    """Nothing in front: the city is the landscape itself."""


@subject(
    RIDGE,
    "888888",
    "mountain mountains hill alps peak canyon valley landscape lake ⛰ 🏔 🗻",
    weak="desert wilderness nature sunset sunrise",
)
def mountains(pen: Pen) -> None:
    """Nothing in front: the ridges are the landscape itself."""


@subject(LAND, "c9583a e0c89a 6a8fb0 8a9a5a", "home cottage cabin hut villa barn farm farmhouse village 🏠 🏡")
def house(pen: Pen) -> None:
    """A house with a red roof and smoke."""
    for x, y, r in ((78, 12, 5), (84, 5, 4), (92, 2, 3)):
        pen.oval("e6e4ea", x, y, r)
    pen.box("8a4a34", 70, 18, 10, 24)
    pen.box("f2e6cc", 16, 46, 68, 49)
    pen.poly(pen.main, 6, 50, 50, 12, 94, 50)
    pen.poly(pen.dark, 6, 50, 12, 50, 50, 18, 88, 50, 94, 50, 50, 12)
    pen.box("6b3f24", 42, 66, 17, 29, 2)
    pen.oval("f0c24a", 55, 81, 1.6)
    for x in (22, 66):
        pen.box("fbf8f0", x - 1.5, 56.5, 15, 17)
        pen.box("8fc9e6", x, 58, 12, 14)
        pen.line("fbf8f0", 1.5, x + 6, 58, x + 6, 72)
        pen.line("fbf8f0", 1.5, x, 65, x + 12, 65)
    pen.oval("8fc9e6", 50, 36, 6)


@subject(LAND, "b0a8b8 c9b89a 9aa6b8", "fortress palace knight kingdom medieval fairytale fairy-tale 🏰")
def castle(pen: Pen) -> None:
    """A castle with flags."""
    for x, top, wide in ((6, 40, 18), (76, 40, 18), (39, 20, 22)):
        pen.box(pen.main, x, top, wide, 95 - top)
        for step in range(3):
            pen.box(pen.main, x + step * wide / 2.5 - 1, top - 5, wide / 5 + 1, 6)
        pen.poly("8f3f5a", x - 3, top - 4, x + wide / 2, top - 28 if wide == 18 else top - 18, x + wide + 3, top - 4)
    pen.box(pen.light, 20, 58, 60, 37)
    for step in range(6):
        pen.box(pen.light, 21 + step * 10, 52, 6, 7)
    pen.box("5a3a24", 42, 72, 16, 23)
    pen.pie("5a3a24", 50, 73, 8, 180, 360)
    for x, y in ((13, 52), (83, 52), (48, 32), (30, 68), (68, 68)):
        pen.box("3f3a4a", x, y, 4.5, 9, 2)


@subject(SEA, "d9423a 3a6ac9", "beacon 🗼", weak="coast cliff shore")
def lighthouse(pen: Pen) -> None:
    """A striped lighthouse with its beam."""
    pen.poly("fff3c0", 50, 20, 0, 6, 0, 30)
    pen.poly("fff3c0", 50, 20, 100, 6, 100, 30)
    pen.blob("6a6a72", 16, 97, 28, 84, 50, 82, 74, 84, 90, 97)
    for row in range(5):
        top, foot = 30 + row * 12, 42 + row * 12
        half, wider = 10 + row * 1.6, 11.6 + row * 1.6
        pen.poly(
            pen.main if row % 2 == 0 else "fbf8f0", 50 - half, top, 50 + half, top, 50 + wider, foot, 50 - wider, foot
        )
    pen.box("3f3a4a", 36, 27, 28, 4, 1)
    pen.box("fde38a", 42, 13, 16, 14)
    pen.poly(pen.dark, 38, 14, 50, 2, 62, 14)


@subject(LAND, "f4efe4 c9a06a", "mill wind-turbine turbine wind-farm", weak="wind")
def windmill(pen: Pen) -> None:
    """A windmill."""
    pen.poly(pen.main, 38, 40, 62, 40, 70, 95, 30, 95)
    pen.poly("8a4a34", 35, 42, 50, 22, 65, 42)
    pen.box("6b3f24", 44, 76, 12, 19, 2)
    pen.box("8fc9e6", 46, 54, 8, 10, 2)
    for index in range(4):
        angle = math.tau * index / 4 + 0.5
        x, y = math.cos(angle), math.sin(angle)
        pen.line("5a3a24", 2, 50, 38, 50 + x * 44, 38 + y * 36)
        pen.poly(
            "fbf8f0",
            50 + x * 12,
            38 + y * 10,
            50 + x * 44,
            38 + y * 36,
            50 + x * 44 - y * 11,
            38 + y * 36 + x * 11,
            50 + x * 12 - y * 11,
            38 + y * 10 + x * 11,
        )
    pen.oval("5a3a24", 50, 38, 4)


@subject(SEA, "c9523a 5a6a7a", "🌉 viaduct", weak="river")
def bridge(pen: Pen) -> None:
    """A suspension bridge."""
    for x in (24, 76):
        pen.box(pen.main, x - 4, 12, 3, 84)
        pen.box(pen.main, x + 2, 12, 3, 84)
        for y in (20, 34, 48):
            pen.box(pen.main, x - 4, y, 9, 3)
    pen.curve(pen.main, 2, -4, 58, 10, 38, 24, 14)
    pen.curve(pen.main, 2, 24, 14, 38, 44, 50, 54, 62, 44, 76, 14)
    pen.curve(pen.main, 2, 76, 14, 90, 38, 104, 58)
    for x, y in ((31, 31), (38, 44), (45, 51), (55, 51), (62, 44), (69, 31), (12, 36), (18, 26), (82, 26), (88, 36)):
        pen.line(pen.main, 0.9, x, y, x, 62)
    pen.box(pen.dark, -6, 60, 112, 6)


@subject(LAND, "e0803a 3a8a8a 8aa04a", "camp camping campsite wigwam tipi circus ⛺ 🎪")
def tent(pen: Pen) -> None:
    """A tent."""
    pen.line("5a3a24", 2, 46, 22, 50, 14)
    pen.line("5a3a24", 2, 54, 22, 50, 14)
    pen.poly(pen.dark, 50, 20, 96, 94, 4, 94)
    pen.poly(pen.main, 50, 20, 50, 94, 4, 94)
    pen.poly(pen.light, 50, 20, 22, 94, 4, 94)
    pen.poly("3f2a24", 50, 46, 64, 94, 36, 94)
    pen.poly("f7e3b0", 50, 46, 64, 94, 69, 94)
    for side in (-1, 1):
        pen.line("e6e0d0", 0.9, 50 + side * 30, 64, 50 + side * 48, 96)


@subject(LAND, "c9523a 3f7a8a", "shop store market bakery-shop kiosk stall restaurant bookshop 🏪 🏬")
def shop_front(pen: Pen) -> None:
    """A shop with an awning."""
    pen.box("e6d8bc", 8, 22, 84, 73)
    pen.box(pen.dark, 4, 14, 92, 14, 2)
    for index in range(8):
        fill = pen.main if index % 2 == 0 else "fbf8f0"
        pen.box(fill, 6 + index * 11, 28, 11, 16)
        pen.pie(fill, 11.5 + index * 11, 44, 5.5, 0, 180)
    pen.box("8fc9e6", 14, 54, 42, 28, 2)
    pen.box("6b3f24", 64, 54, 20, 41, 2)
    pen.box("8fc9e6", 67, 58, 14, 18, 1)
    for x, fill in ((22, "d9423a"), (34, "f0b429"), (46, "5f9a44")):
        pen.oval(fill, x, 77, 5)
    pen.box(pen.light, 30, 18, 40, 6, 3)


@subject(LAND, "d9b46a c9a05a", "egypt sphinx temple ruins 🛕 🏛", weak="museum history ancient")
def pyramid(pen: Pen) -> None:
    """Two pyramids."""
    for x, top, half in ((76, 46, 30), (40, 16, 46)):
        pen.poly(pen.main, x, top, x - half, 95, x + half * 0.3, 95)
        pen.poly(pen.dark, x, top, x + half * 0.3, 95, x + half, 95)
    for y in (38, 54, 70, 84):
        reach = (y - 16) * 46 / 79
        pen.line(pen.dark, 0.9, 40 - reach, y, 40 + reach * 0.3, y)
