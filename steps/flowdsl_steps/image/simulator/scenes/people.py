"""People, as simple shapes."""

from __future__ import annotations

from flowdsl_steps.image.simulator.pen import INK, WHITE, Paint, Pen
from flowdsl_steps.image.simulator.scenes.subject import LAND, SPACE, TABLE, subject

_SKIN = ("f2c9a0", "c98f62", "8a5a3c", "e8b48a")


def _skin(pen: Pen) -> str:
    return _SKIN[sum(pen.main) % len(_SKIN)]


def _head(pen: Pen, x: float, y: float, size: float, skin: Paint, hair: Paint) -> None:
    pen.oval(hair, x, y - 2 * size, 17 * size, 19 * size)
    pen.oval(skin, x, y + 2 * size, 14 * size, 16 * size)
    pen.blob(
        hair,
        x - 15 * size,
        y - 2 * size,
        x - 8 * size,
        y - 18 * size,
        x + 10 * size,
        y - 18 * size,
        x + 15 * size,
        y - 2 * size,
        x + 3 * size,
        y - 8 * size,
    )
    pen.eyes(x, y + 1 * size, 5.5 * size, 1.8 * size)
    pen.curve("a5483c", 1.5 * size, x - 4 * size, y + 10 * size, x, y + 12 * size, x + 4 * size, y + 10 * size)


@subject(
    TABLE,
    "3a6ac9 c9423a 2f7f6f 8a4a9a",
    "man boy gentleman sailor scientist doctor artist author chef teacher hero king human character actor 👨 👦 🧑 men",
    weak="portrait face avatar headshot selfie people",
)
def person(pen: Pen) -> None:
    """Head and shoulders."""
    skin = _skin(pen)
    pen.blob(pen.main, 10, 97, 16, 74, 38, 66, 62, 66, 84, 74, 90, 97)
    pen.box(skin, 41, 52, 18, 22, 6)
    pen.poly(WHITE, 38, 66, 62, 66, 50, 84)
    pen.poly(skin, 42, 66, 58, 66, 50, 76)
    for side in (-1, 1):
        pen.oval(skin, 50 + side * 23, 37, 4, 6)
    _head(pen, 50, 34, 1.6, skin, "4a3226")


@subject(
    TABLE,
    "c94a8f 8a5ac9 d98a3a 3a8a8a",
    "girl lady ladies queen princess bride dancer ballerina mother grandmother witch actress 👩 👧 👸 women",
)
def woman(pen: Pen) -> None:
    """Head and shoulders with long hair."""
    skin, hair = _skin(pen), "7a3f24"
    pen.blob(hair, 50, 2, 78, 16, 82, 50, 80, 80, 50, 84, 20, 80, 18, 50, 22, 16)
    pen.blob(pen.main, 16, 97, 22, 78, 42, 70, 58, 70, 78, 78, 84, 97)
    pen.box(skin, 42, 52, 16, 24, 6)
    pen.oval(skin, 50, 74, 12, 8)
    pen.oval(skin, 50, 38, 21, 25)
    pen.blob(hair, 28, 40, 30, 14, 52, 8, 72, 16, 72, 40, 64, 22, 46, 24)
    pen.eyes(50, 38, 9, 2.8)
    for side in (-1, 1):
        pen.oval("f0a8a0", 50 + side * 13, 47, 3.6, 2.4)
        pen.oval("f0c24a", 50 + side * 22, 52, 2.2)
    pen.curve("c9344a", 2.6, 43, 52, 50, 56, 57, 52)


@subject(
    LAND,
    "d9423a 3a78c9 f0b429 3aa06a",
    "child children kid toddler baby babies family families couple friend crowd team group 👪 👶 🧒",
)
def family(pen: Pen) -> None:
    """Three people hand in hand."""
    for x, size, fill in ((22, 1.0, pen.main), (52, 0.66, "f0b429"), (80, 0.92, "5a8ac9")):
        skin, foot = _skin(pen), 95.0
        for side in (-1, 1):
            pen.line("4a4552", 8 * size, x + side * 5 * size, foot - 24 * size, x + side * 6 * size, foot - 2 * size)
            pen.line(skin, 5 * size, x + side * 9 * size, foot - 48 * size, x + side * 17 * size, foot - 30 * size)
        pen.blob(
            fill,
            x - 11 * size,
            foot - 54 * size,
            x + 11 * size,
            foot - 54 * size,
            x + 13 * size,
            foot - 22 * size,
            x - 13 * size,
            foot - 22 * size,
        )
        _head(pen, x, foot - 68 * size, 0.86 * size, skin, "4a3226" if size > 0.7 else "c98a3a")


@subject(SPACE, "f0f2f6 e0e6ee", "cosmonaut spaceman 👨‍🚀 🧑‍🚀")
def astronaut(pen: Pen) -> None:
    """An astronaut who floats."""
    pen.box("9aa4b4", 26, 42, 48, 34, 6)
    for side in (-1, 1):
        pen.line(pen.main, 13, 50 + side * 16, 52, 50 + side * 36, 44 + side * 12)
        pen.oval("5a6a80", 50 + side * 38, 43 + side * 13, 7)
        pen.line(pen.main, 15, 50 + side * 9, 74, 50 + side * 16, 90)
        pen.box("5a6a80", 50 + side * 17 - 10, 89, 20, 8, 4)
    pen.box(pen.main, 30, 42, 40, 38, 12)
    pen.box("cfd6e0", 38, 54, 24, 15, 3)
    pen.oval("d9423a", 44, 61, 2.6)
    pen.oval("3a9ad9", 52, 61, 2.6)
    pen.oval(pen.main, 50, 26, 25)
    pen.oval("1e2a4a", 50, 27, 19, 16)
    pen.blob("4a7ab8", 36, 24, 44, 15, 56, 14, 50, 20, 40, 28)
    pen.oval("fff3c0", 60, 33, 3)


@subject(LAND, "f7fafc f0f4f8", "⛄ snow-man", weak="winter snow")
def snowman(pen: Pen) -> None:
    """A snowman with a carrot."""
    for side in (-1, 1):
        pen.line("6b4426", 2.6, 50 + side * 18, 54, 50 + side * 42, 40)
        pen.line("6b4426", 2, 50 + side * 36, 43, 50 + side * 40, 50)
    for y, r in ((76, 21), (50, 17), (27, 13.5)):
        pen.oval("cfdbe6", 51, y + 1, r)
        pen.oval(pen.main, 50, y, r)
    pen.box(INK, 34, 14, 32, 4, 2)
    pen.box(INK, 40, 0, 20, 16, 2)
    pen.box("d9423a", 40, 10, 20, 4)
    pen.eyes(50, 24, 5, 1.8)
    pen.poly("f08a2c", 49, 27, 49, 32, 66, 31)
    pen.box("d9423a", 35, 37, 30, 6, 3)
    pen.box("d9423a", 57, 40, 6, 16, 2)
    for y in (50, 58, 70, 80):
        pen.oval(INK, 50, y, 1.8)


@subject(LAND, "f4f1f8 d8d0f0", "spirit phantom spooky 👻", weak="haunted")
def ghost(pen: Pen) -> None:
    """A ghost."""
    pen.blob(pen.main, 50, 4, 76, 18, 82, 56, 84, 92, 70, 84, 60, 95, 50, 85, 40, 95, 30, 84, 16, 92, 18, 56, 24, 18)
    for side in (-1, 1):
        pen.oval(INK, 50 + side * 12, 36, 5, 8)
        pen.oval("f2b8c8", 50 + side * 22, 50, 5, 3)
    pen.oval(INK, 50, 56, 6, 8)


@subject(TABLE, "f7c92e f5b83a", "smile laugh emoji happy 😀 😃 😄 😁 😊 🙂 😍 😎 🤩 😂", weak="joy fun")
def smiley(pen: Pen) -> None:
    """A face that laughs."""
    pen.oval(pen.dark, 50, 52, 44)
    pen.oval(pen.main, 50, 51, 42)
    pen.oval(pen.light, 34, 24, 9, 5, -34)
    for side in (-1, 1):
        pen.oval("5a3420", 50 + side * 15, 40, 5, 8)
        pen.oval("f59a5a", 50 + side * 29, 54, 6, 4)
    pen.pie("7a2a24", 50, 58, 24, 0, 180)
    pen.poly(WHITE, 27, 58, 73, 58, 71, 65, 29, 65)
    pen.oval("e0607a", 50, 77, 10, 5)
