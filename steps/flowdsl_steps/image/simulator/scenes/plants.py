"""Plants."""

from __future__ import annotations

import math

from flowdsl_steps.image.simulator.pen import WHITE, Pen
from flowdsl_steps.image.simulator.scenes.subject import LAND, TABLE, subject


@subject(LAND, "4f8a3a 6aa04a d98a2c e0a0b8", "oak maple cherry-tree apple-tree 🌳", weak="park garden orchard nature")
def tree(pen: Pen) -> None:
    """A tree with a round crown."""
    pen.poly("6b4426", 44, 96, 46, 56, 34, 44, 38, 41, 49, 50, 60, 38, 64, 41, 54, 56, 57, 96)
    for x, y, r in ((28, 40, 19), (72, 40, 19), (50, 24, 23), (36, 24, 17), (64, 24, 17), (50, 44, 19)):
        pen.oval(pen.dark, x, y + 3, r)
    for x, y, r in ((28, 37, 17), (70, 37, 17), (50, 22, 21), (50, 40, 16)):
        pen.oval(pen.main, x, y, r)
    for x, y, r in ((42, 18, 6), (26, 34, 5), (64, 32, 5)):
        pen.oval(pen.light, x, y, r)


@subject(LAND, "2f6a4a 3f7a5a 24584a", "fir pine christmas-tree conifer spruce 🌲 🎄", weak="forest wood woods")
def fir(pen: Pen) -> None:
    """Three firs."""
    for x, size, fill in ((20, 0.7, pen.dark), (82, 0.78, pen.dark), (50, 1.0, pen.main)):
        foot = 95.0
        pen.box("5a3a24", x - 4 * size, foot - 14 * size, 8 * size, 14 * size)
        for low, high, half in ((10, 46, 32), (32, 68, 25), (56, 94, 17)):
            pen.poly(
                fill, x - half * size, foot - low * size, x, foot - high * size, x + half * size, foot - low * size
            )


@subject(
    LAND,
    "e0507a f0b429 8a5ac9 d9423a",
    "rose tulip daisy daisies sunflower bouquet blossom lily lilies orchid poppy 🌸 🌹 🌷 🌻",
)
def flower(pen: Pen) -> None:
    """A flower with its leaves."""
    pen.curve("4f8a3a", 4, 50, 44, 52, 70, 50, 96)
    for side in (-1, 1):
        pen.blob("5f9a44", 50, 88, 50 + side * 14, 66, 50 + side * 34, 62, 50 + side * 24, 82)
    for index in range(8):
        angle = math.tau * index / 8
        pen.oval(pen.main, 50 + 21 * math.sin(angle), 32 - 21 * math.cos(angle), 8.5, 14, index * 45)
    for index in range(8):
        angle = math.tau * (index + 0.5) / 8
        pen.oval(pen.light, 50 + 13 * math.sin(angle), 32 - 13 * math.cos(angle), 5, 9, index * 45 + 22.5)
    pen.oval("f5c83a", 50, 32, 10)
    pen.oval("c98a1e", 50, 32, 5)


@subject(LAND, "4f9a5a 6aa04a 3f8a6a", "cacti succulent saguaro 🌵")
def cactus(pen: Pen) -> None:
    """A cactus with two arms."""
    pen.line(pen.dark, 15, 24, 36, 24, 58, 42, 62)
    pen.line(pen.dark, 15, 78, 26, 78, 48, 58, 54)
    pen.box(pen.main, 38, 6, 25, 90, 12)
    for x in (45, 56):
        pen.line(pen.dark, 1.6, x, 16, x, 92)
    for x, y in ((50, 20), (50, 40), (50, 64), (24, 42), (78, 34), (50, 84)):
        for dx, dy in ((-3, -2), (3, -2), (0, 3)):
            pen.line("f4f1d8", 0.9, x, y, x + dx, y + dy)
    for index in range(5):
        angle = math.tau * index / 5
        pen.oval("e0507a", 50 + 5 * math.cos(angle), 6 + 4 * math.sin(angle), 4)


@subject(LAND, "d9342c b8793a 8a5ac9", "toadstool fungus fungi 🍄")
def mushroom(pen: Pen) -> None:
    """A toadstool and a small one."""
    for x, y, size in ((44, 96, 1.0), (84, 96, 0.45)):
        pen.blob(
            "f7efdc", x - 12 * size, y - 48 * size, x + 12 * size, y - 48 * size, x + 15 * size, y, x - 15 * size, y
        )
        pen.pie(pen.main, x, y - 44 * size, 42 * size, 180, 360)
        pen.oval("e6d8be", x, y - 44 * size, 42 * size, 7 * size)
        for dx, dy, r in ((-20, -60, 6), (2, -74, 7), (20, -58, 5.5), (-2, -56, 4)):
            pen.oval(WHITE, x + dx * size, y + dy * size, r * size)


@subject(
    TABLE, "5f9a44 3f8a5a 7aa04a", "houseplant potted-plant herb leaf leaves bonsai seedling monstera fern 🌱 🌿 🍃 🪴"
)
def plant(pen: Pen) -> None:
    """A plant in its pot."""
    for x, y, turn in ((50, 26, 0), (30, 34, -34), (70, 34, 34), (20, 54, -64), (80, 54, 64)):
        pen.curve("3f6a34", 2.4, 50, 68, (50 + x) / 2, (66 + y) / 2, x, y)
        pen.oval(pen.main, x, y, 10, 22, turn)
        pen.oval(pen.light, x + 2, y, 2, 17, turn)
    pen.poly("c9643a", 26, 64, 74, 64, 68, 95, 32, 95)
    pen.box("d97a4a", 22, 60, 56, 10, 3)


@subject(LAND, "e0802c d9702c", "jack-o-lantern halloween gourd 🎃")
def pumpkin(pen: Pen) -> None:
    """A pumpkin with a face."""
    pen.curve("4f7a34", 7, 50, 26, 52, 14, 60, 8)
    for side in (-1, 1):
        pen.oval(pen.dark, 50 + side * 26, 60, 21, 30)
        pen.oval(pen.main, 50 + side * 14, 60, 21, 33)
    pen.oval(pen.light, 50, 60, 15, 34)
    for side in (-1, 1):
        pen.poly("3a1f14", 50 + side * 8, 56, 50 + side * 26, 56, 50 + side * 17, 42)
    pen.poly("3a1f14", 24, 66, 76, 66, 64, 84, 56, 78, 50, 84, 44, 78, 36, 84)


@subject(LAND, "5f9a44 7aa04a", "palm palm-tree coconut tropical 🌴 🏝", weak="beach island summer holiday vacation")
def palm(pen: Pen) -> None:
    """A palm on its island."""
    pen.oval("e8cf94", 50, 96, 44, 11)
    pen.curve("8a6238", 7, 44, 92, 46, 66, 54, 34)
    for y in (50, 62, 74, 84):
        pen.line("6b4a28", 1.4, 44, y, 52, y - 2)
    for x, y, mid_x, mid_y in (
        (12, 40, 30, 18),
        (4, 22, 26, 10),
        (96, 40, 78, 18),
        (98, 20, 80, 8),
        (44, 66, 38, 44),
        (74, 62, 70, 42),
    ):
        pen.blob(pen.main, 54, 32, mid_x, mid_y - 4, x, y, mid_x + (4 if x < 50 else -4), mid_y + 10)
    for x, y in ((48, 38), (58, 38), (54, 42)):
        pen.oval("6b4426", x, y, 5)
