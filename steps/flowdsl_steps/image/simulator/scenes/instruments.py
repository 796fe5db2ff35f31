"""Music, sport and play."""

from __future__ import annotations

import math

from flowdsl_steps.image.simulator.pen import INK, WHITE, Pen
from flowdsl_steps.image.simulator.scenes.subject import TABLE, subject


@subject(TABLE, "c9793a a5422a d9a24a", "violin ukulele cello banjo concert 🎸 🎻", weak="music song jazz band")
def guitar(pen: Pen) -> None:
    """A guitar."""
    pen.line("5a3a24", 7, 50, 50, 50, 12)
    pen.box("3f2a1c", 44, 2, 12, 16, 3)
    for y in (5, 10, 15):
        pen.oval("e6e0d0", 42, y, 2)
        pen.oval("e6e0d0", 58, y, 2)
    pen.blob(pen.dark, 50, 38, 66, 42, 66, 56, 76, 72, 70, 92, 50, 97, 30, 92, 24, 72, 34, 56, 34, 42)
    pen.blob(pen.main, 50, 40, 63, 44, 63, 57, 72, 73, 67, 89, 50, 93, 33, 89, 28, 73, 37, 57, 37, 44)
    pen.oval("3f2a1c", 50, 62, 9)
    pen.box("3f2a1c", 40, 81, 20, 4, 1)
    pen.box("5a3a24", 46.5, 18, 7, 36)
    for x in (48, 50, 52):
        pen.line("f0e6d0", 0.6, x, 8, x, 82)


@subject(TABLE, "2f2c36 7a3a24", "keyboard-piano organ 🎹")
def piano(pen: Pen) -> None:
    """A row of piano keys."""
    pen.box(pen.main, 2, 18, 96, 74, 5)
    pen.box(pen.light, 2, 30, 96, 5)
    for index in range(7):
        pen.box(WHITE, 7 + index * 12.4, 40, 11.6, 48, 1.5)
    for index in (0, 1, 3, 4, 5):
        pen.box(INK, 15.4 + index * 12.4, 40, 7.4, 28, 1.5)


@subject(TABLE, "f4f1ea e0703a", "football soccer basketball tennis baseball sport stadium ⚽ 🏀 🎾")
def ball(pen: Pen) -> None:
    """A football."""
    pen.oval(INK, 50, 54, 41)
    pen.oval(pen.main, 50, 54, 39.5)

    def patch(x: float, y: float, radius: float, turn: float) -> None:
        at: list[float] = []
        for index in range(5):
            angle = math.radians(turn) + math.tau * index / 5
            at += (x + radius * math.sin(angle), y - radius * math.cos(angle))
        pen.poly(INK, *at)

    patch(50, 54, 13, 0)
    for index in range(5):
        angle = math.tau * index / 5
        x, y = math.sin(angle), -math.cos(angle)
        pen.line(INK, 1.6, 50 + x * 13, 54 + y * 13, 50 + x * 25, 54 + y * 25)
        patch(50 + x * 32, 54 + y * 32, 9, index * 72 + 180)


@subject(TABLE, "d9423a 3a78c9 3aa06a f0b429", "toy game puzzle lego blocks cube dice 🎲")
def toy_blocks(pen: Pen) -> None:
    """Toy blocks on a pile."""
    for x, y, fill, letter in ((8, 58, pen.main, "A"), (52, 58, "3a78c9", "B"), (30, 20, "f0b429", "C")):
        pen.box(fill, x, y, 38, 37, 4)
        pen.box("fbf6ea", x + 5, y + 5, 28, 27, 3)
        if letter == "A":
            pen.line(fill, 4, x + 12, y + 27, x + 19, y + 10, x + 26, y + 27)
            pen.line(fill, 3, x + 15, y + 21, x + 23, y + 21)
        elif letter == "B":
            pen.star(fill, x + 19, y + 19, 12)
        else:
            pen.oval(fill, x + 19, y + 18, 9)
            pen.oval("fbf6ea", x + 19, y + 18, 4.5)
