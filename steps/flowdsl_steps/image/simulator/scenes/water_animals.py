"""Animals of the sea and the ice."""

from __future__ import annotations

from flowdsl_steps.image.simulator.pen import INK, WHITE, Pen
from flowdsl_steps.image.simulator.scenes.subject import LAND, SEA, UNDER, subject


@subject(UNDER, "f08a2c e25f5f f2c030 5fa0e2", "fishes goldfish salmon trout tuna koi shark 🐟 🐠 🦈")
def fish(pen: Pen) -> None:
    """A fish sideways."""
    pen.poly(pen.dark, 26, 50, 2, 26, 8, 50, 2, 76)
    pen.blob(pen.dark, 38, 32, 52, 12, 70, 22, 66, 36)
    pen.blob(pen.dark, 44, 66, 50, 82, 62, 78, 62, 64)
    pen.blob(pen.main, 20, 50, 44, 26, 76, 30, 96, 50, 76, 70, 44, 74)
    for x in (42, 56):
        pen.curve(pen.light, 4.5, x, 32, x + 6, 50, x, 68)
    pen.poly(pen.dark, 60, 50, 46, 44, 46, 58)
    pen.oval(WHITE, 80, 44, 6)
    pen.oval(INK, 81, 44, 3.4)
    pen.curve(INK, 1.6, 88, 58, 92, 56, 94, 53)
    for x, y, r in ((90, 24, 3), (96, 14, 2.2), (88, 8, 1.6)):
        pen.oval("d6f0fa", x, y, r)


@subject(SEA, "3f6a9a 4a7fb0 5a6f8a", "orca 🐋 🐳 dolphin")
def whale(pen: Pen) -> None:
    """A whale with its spout."""
    pen.curve("dff2fb", 4, 36, 34, 34, 18, 22, 10)
    pen.curve("dff2fb", 4, 36, 34, 38, 18, 50, 10)
    pen.blob(pen.main, 74, 66, 86, 46, 80, 28, 92, 34, 98, 24, 98, 44, 92, 70, 80, 82)
    pen.blob(pen.main, 4, 62, 14, 42, 40, 36, 66, 48, 84, 70, 66, 88, 28, 88, 8, 80)
    pen.blob("dfe9f0", 6, 72, 34, 76, 58, 86, 36, 90, 14, 85)
    for x in (18, 28, 38):
        pen.line("b8c9d6", 1.3, x, 77, x + 6, 87)
    pen.eyes(25, 62, 0, 2.8)
    pen.poly(pen.dark, 44, 74, 60, 92, 40, 88)


@subject(LAND, "2f3440 3a4252", "🐧 puffin")
def penguin(pen: Pen) -> None:
    """A penguin from the front."""
    for side in (-1, 1):
        pen.oval("f0a030", 50 + side * 11, 93, 9, 4)
        pen.blob(pen.main, 50 + side * 20, 38, 50 + side * 36, 60, 50 + side * 33, 72, 50 + side * 20, 64)
    pen.blob(pen.main, 50, 4, 68, 14, 74, 50, 72, 84, 50, 94, 28, 84, 26, 50, 32, 14)
    pen.blob(WHITE, 50, 40, 64, 50, 63, 80, 50, 88, 37, 80, 36, 50)
    for side in (-1, 1):
        pen.oval(WHITE, 50 + side * 8, 26, 9, 11)
    pen.eyes(50, 25, 7, 3)
    pen.poly("f0a030", 43, 32, 57, 32, 50, 41)


@subject(LAND, "5f9a52 7a8f4a 4a8a78", "tortoise 🐢")
def turtle(pen: Pen) -> None:
    """A turtle with a patterned shell."""
    skin = pen.light
    pen.oval(skin, 86, 62, 12, 10)
    pen.line(skin, 9, 72, 76, 82, 66)
    pen.poly(skin, 8, 80, 22, 72, 22, 84)
    for x in (26, 66):
        pen.oval(skin, x, 88, 9, 8)
    pen.pie(pen.main, 47, 84, 37, 180, 360)
    pen.box(pen.dark, 8, 80, 78, 6, 3)
    pen.poly(pen.dark, 37, 58, 57, 58, 63, 70, 57, 79, 37, 79, 31, 70)
    for x in (20, 74):
        pen.oval(pen.dark, x, 73, 6, 6)
    for x in (33, 61):
        pen.oval(pen.dark, x, 54, 4)
    pen.eyes(89, 59, 0, 2.4)
    pen.curve(INK, 1.3, 88, 67, 92, 67, 96, 64)


@subject(UNDER, "c95a8a 8a5ac9 e0704a", "squid jellyfish 🐙 🦑")
def octopus(pen: Pen) -> None:
    """An octopus with curling arms."""
    for side in (-1, 1):
        for reach, foot, curl in ((10, 94, 4), (24, 92, 8), (38, 82, 8), (44, 66, 4)):
            x = 50 + side * reach
            pen.curve(
                pen.dark, 7, 50 + side * reach * 0.4, 54, x - side * 3, foot - 16, x, foot, x + side * curl, foot - 7
            )
    pen.blob(pen.main, 50, 4, 74, 16, 76, 44, 66, 62, 34, 62, 24, 44, 26, 16)
    for x, y, r in ((38, 16, 3.5), (58, 12, 2.6), (48, 22, 2)):
        pen.oval(pen.light, x, y, r)
    pen.eyes(50, 40, 10, 5)
    pen.curve(INK, 1.8, 44, 51, 50, 55, 56, 51)


@subject(UNDER, "d9423a e0653a", "lobster shrimp 🦀 🦞 🦐")
def crab(pen: Pen) -> None:
    """A crab with raised claws."""
    for side in (-1, 1):
        for y in (66, 74, 82):
            pen.line(pen.dark, 4, 50 + side * 24, y - 6, 50 + side * 40, y - 2, 50 + side * 44, y + 11)
        pen.line(pen.dark, 6, 50 + side * 26, 54, 50 + side * 40, 42)
        pen.oval(pen.main, 50 + side * 39, 29, 11, 15, side * -14)
        pen.poly("cfe6f0", 50 + side * 36, 10, 50 + side * 43, 12, 50 + side * 38, 30)
        pen.line(pen.dark, 3, 50 + side * 9, 46, 50 + side * 10, 32)
        pen.oval(WHITE, 50 + side * 10, 30, 6)
        pen.oval(INK, 50 + side * 10, 30, 3)
    pen.oval(pen.main, 50, 64, 31, 21)
    pen.curve(INK, 2, 40, 70, 50, 76, 60, 70)
    for x in (36, 50, 64):
        pen.oval(pen.light, x, 56, 2.6)
