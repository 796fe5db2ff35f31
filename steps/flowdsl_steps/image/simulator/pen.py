"""Draws with outlines only: what a pen leaves is a list of filled polygons, which both raster and SVG can show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from flowdsl_steps.image.simulator.palettes import Colour, colour_of, mix

Point = tuple[float, float]
Paint = Colour | str
"""A colour, or six hexadecimal digits."""

WHITE: Colour = (255, 255, 255)
INK: Colour = (43, 38, 52)


@dataclass(frozen=True, slots=True)
class Shape:
    """A filled polygon."""

    outline: tuple[Point, ...]
    fill: Colour


class Pen:
    """Draws on a square of 100 by 100, the ground at y = 95, in a subject's `main` colour and its tints."""

    def __init__(self, main: Colour) -> None:
        self.main = main
        self.dark = mix(main, INK, 0.28)
        self.light = mix(main, WHITE, 0.42)
        self.shapes: list[Shape] = []

    def poly(self, fill: Paint, *at: float) -> None:
        """A polygon through x, y, x, y, …"""
        self.shapes.append(Shape(_points(at), colour_of(fill) if isinstance(fill, str) else fill))

    def blob(self, fill: Paint, *at: float) -> None:
        """A closed smooth curve through x, y, x, y, …"""
        self.poly(fill, *(value for point in _smooth(_points(at), closed=True) for value in point))

    def oval(self, fill: Paint, x: float, y: float, across: float, down: float | None = None, turn: float = 0) -> None:
        """An ellipse around x, y with its two radii, turned by degrees."""
        down = across if down is None else down
        cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        at: list[float] = []
        for step in range(48):
            angle = math.tau * step / 48
            one, other = across * math.cos(angle), down * math.sin(angle)
            at += (x + one * cosine - other * sine, y + one * sine + other * cosine)
        self.poly(fill, *at)

    def box(self, fill: Paint, x: float, y: float, width: float, height: float, round_by: float = 0) -> None:
        """A rectangle from its upper left corner, with rounded corners."""
        if not round_by:
            self.poly(fill, x, y, x + width, y, x + width, y + height, x, y + height)
            return
        corners = ((x + width, y, 270), (x + width, y + height, 0), (x, y + height, 90), (x, y, 180))
        at: list[float] = []
        for corner_x, corner_y, begin in corners:
            centre_x = corner_x - round_by if corner_x > x else corner_x + round_by
            centre_y = corner_y - round_by if corner_y > y else corner_y + round_by
            for step in range(7):
                angle = math.radians(begin + 15 * step)
                at += (centre_x + round_by * math.cos(angle), centre_y + round_by * math.sin(angle))
        self.poly(fill, *at)

    def line(self, fill: Paint, width: float, *at: float) -> None:
        """A line of straight pieces with round ends."""
        self._stroke(fill, width, _points(at))

    def curve(self, fill: Paint, width: float, *at: float) -> None:
        """A smooth line with round ends."""
        self._stroke(fill, width, _smooth(_points(at), closed=False))

    def pie(self, fill: Paint, x: float, y: float, radius: float, begin: float, end: float) -> None:
        """A sector of a circle between two angles in degrees, clockwise from the right."""
        steps = [begin + (end - begin) * step / 32 for step in range(33)]
        rim = [
            v for a in steps for v in (x + radius * math.cos(math.radians(a)), y + radius * math.sin(math.radians(a)))
        ]
        self.poly(fill, x, y, *rim)

    def star(self, fill: Paint, x: float, y: float, radius: float, points: int = 5, inner: float = 0.42) -> None:
        """A star with one point up."""
        at: list[float] = []
        for step in range(points * 2):
            angle, reach = math.pi * step / points - math.pi / 2, radius * (inner if step % 2 else 1)
            at += (x + reach * math.cos(angle), y + reach * math.sin(angle))
        self.poly(fill, *at)

    def eyes(self, x: float, y: float, apart: float, radius: float = 2.4, fill: Paint = INK) -> None:
        """Two eyes around x, each with a glint."""
        for side in (-1, 1):
            self.oval(fill, x + side * apart, y, radius, radius * 1.15)
            self.oval(WHITE, x + side * apart + radius * 0.3, y - radius * 0.4, radius * 0.32)

    def _stroke(self, fill: Paint, width: float, points: tuple[Point, ...]) -> None:
        half = width / 2
        for (x, y), (to_x, to_y) in pairwise(points):
            length = math.hypot(to_x - x, to_y - y) or 1.0
            across, down = -(to_y - y) / length * half, (to_x - x) / length * half
            self.poly(
                fill, x + across, y + down, to_x + across, to_y + down, to_x - across, to_y - down, x - across, y - down
            )
        for x, y in points:
            self.oval(fill, x, y, half)


def _points(at: tuple[float, ...]) -> tuple[Point, ...]:
    return tuple(zip(at[::2], at[1::2], strict=True))


def _smooth(points: tuple[Point, ...], *, closed: bool) -> tuple[Point, ...]:
    """Catmull-Rom: the curve goes through every point."""
    count = len(points)

    def near(index: int) -> Point:
        return points[index % count] if closed else points[max(0, min(index, count - 1))]

    found: list[Point] = []
    for index in range(count if closed else count - 1):
        before, one, other, after = (near(index + shift) for shift in (-1, 0, 1, 2))
        for step in range(8):
            t = step / 8
            x, y = (
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(before, one, other, after, strict=True)
            )
            found.append((x, y))
    return tuple(found) if closed else (*found, points[-1])
