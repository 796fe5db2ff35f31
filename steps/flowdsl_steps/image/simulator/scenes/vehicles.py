"""What takes people somewhere."""

from __future__ import annotations

from flowdsl_steps.image.simulator.pen import INK, WHITE, Pen
from flowdsl_steps.image.simulator.scenes.subject import AIR, LAND, SEA, SPACE, subject

_GLASS = "bfe3f2"


def _wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.oval(INK, x, y, radius)
    pen.oval("c9ced6", x, y, radius * 0.55)
    pen.oval("8a909a", x, y, radius * 0.2)


@subject(LAND, "d9423a 3a78c9 f0b429 3aa06a", "automobile taxi cab sedan beetle-car sports-car convertible jeep 🚗 🚕")
def car(pen: Pen) -> None:
    """A car sideways."""
    pen.blob(pen.main, 20, 58, 32, 34, 50, 32, 68, 34, 80, 58, 50, 62)
    pen.poly(_GLASS, 29, 56, 36, 39, 48, 38, 48, 56)
    pen.poly(_GLASS, 52, 56, 52, 38, 64, 39, 73, 56)
    pen.box(pen.main, 4, 54, 92, 28, 10)
    pen.box(pen.dark, 4, 72, 92, 10, 5)
    pen.box(pen.light, 54, 60, 8, 2.6, 1.3)
    pen.oval("fff3b0", 92, 63, 4, 5)
    pen.oval("b8222a", 7, 63, 3, 5)
    for x in (25, 75):
        _wheel(pen, x, 82, 13)


@subject(LAND, "e0a92c c9423a 3a9a8a", "coach minibus camper van school-bus tram 🚌 🚐")
def bus(pen: Pen) -> None:
    """A bus sideways."""
    pen.box(pen.main, 3, 24, 94, 60, 8)
    pen.box(pen.light, 3, 62, 94, 6)
    for x in (9, 27, 45):
        pen.box(_GLASS, x, 32, 15, 20, 3)
    pen.box(_GLASS, 82, 32, 15, 26, 3)
    pen.box(pen.dark, 63, 32, 15, 50, 2)
    pen.box(_GLASS, 65, 35, 11, 30, 2)
    pen.oval("fff3b0", 94, 73, 3.4)
    for x in (22, 76):
        _wheel(pen, x, 84, 11)


@subject(LAND, "c9362c d97a2c 3a6ac9", "lorry lorries fire-truck fire-engine pickup tractor 🚚 🚒 🚜")
def truck(pen: Pen) -> None:
    """A truck with a box on its back."""
    pen.box("e9e4da", 2, 22, 60, 56, 3)
    pen.box("cfc8ba", 2, 70, 60, 8)
    pen.box(pen.main, 14, 36, 36, 14, 4)
    pen.poly(pen.main, 64, 36, 82, 36, 95, 56, 95, 80, 64, 80)
    pen.poly(_GLASS, 70, 42, 80, 42, 89, 57, 70, 57)
    pen.box("6a7078", 2, 78, 93, 6)
    pen.oval("fff3b0", 92, 68, 3)
    for x in (20, 40, 80):
        _wheel(pen, x, 85, 10)


@subject(LAND, "c9362c 2f7f6f 3a5ac9 444a58", "bike bicycling cyclist motorcycle motorbike scooter 🚲 🚴")
def bicycle(pen: Pen) -> None:
    """A bicycle sideways."""
    for x in (24, 76):
        pen.oval(INK, x, 72, 22)
        pen.oval("e6e9ee", x, 72, 18.5)
        for dx, dy in ((18, 0), (9, 15.6), (-9, 15.6)):
            pen.line("9aa0aa", 0.8, x - dx, 72 - dy, x + dx, 72 + dy)
    pen.line(pen.main, 3.6, 24, 72, 48, 72, 68, 42, 38, 42, 24, 72)
    pen.line(pen.main, 3.6, 48, 72, 35, 34)
    pen.line(pen.main, 3.6, 76, 72, 66, 30)
    pen.line(INK, 3, 66, 30, 76, 24, 80, 28)
    pen.box(INK, 26, 30, 18, 5, 2.5)
    pen.oval("7a808a", 48, 72, 5.5)
    pen.line(INK, 2.4, 48, 72, 54, 80)


@subject(
    SEA,
    "d9583a f4efe4 3a78c9 c9a03a",
    "sailboat ship yacht canoe ferry ferries paper-boat 🚢",
    weak="sea ocean harbour harbor port",
)
def boat(pen: Pen) -> None:
    """A sailing boat."""
    pen.line("6b4a30", 3, 48, 6, 48, 74)
    pen.blob("fbf7ec", 51, 8, 66, 28, 86, 62, 68, 64, 51, 64)
    pen.poly(pen.light, 45, 16, 45, 64, 14, 64)
    pen.poly("d9423a", 48, 4, 60, 8, 48, 13)
    pen.poly(pen.main, 6, 72, 96, 72, 80, 92, 24, 92)
    pen.poly(pen.dark, 13, 82, 88, 82, 80, 92, 24, 92)
    for x in (36, 50, 64):
        pen.oval(WHITE, x, 78, 2.4)


@subject(AIR, "e6eaf0 f4f4f4 c9d6e6", "plane aeroplane aircraft jet airliner flight ✈ 🛩 helicopter")
def airplane(pen: Pen) -> None:
    """An airplane that climbs."""
    pen.poly("3a78c9", 4, 30, 16, 30, 30, 52, 14, 54)
    pen.poly("b8c2d0", 46, 50, 58, 50, 34, 18, 26, 18)
    pen.blob(pen.main, 8, 52, 40, 44, 78, 44, 96, 54, 82, 62, 44, 64, 16, 62)
    pen.poly("aab6c6", 44, 58, 62, 58, 32, 92, 22, 92)
    pen.box("7a8698", 38, 72, 14, 7, 3)
    for x in range(34, 78, 7):
        pen.oval("3a5a8a", x, 51, 2)
    pen.poly("3a5a8a", 84, 47, 92, 51, 82, 52)


@subject(SPACE, "e6eaf0 d9423a f0b429", "spaceship spacecraft shuttle missile 🚀")
def rocket(pen: Pen) -> None:
    """A rocket that takes off."""
    pen.blob("f08a2c", 40, 76, 60, 76, 62, 90, 50, 100, 38, 90)
    pen.blob("fde38a", 44, 76, 56, 76, 55, 86, 50, 93, 45, 86)
    for side in (-1, 1):
        pen.poly("c9362c", 50 + side * 16, 50, 50 + side * 32, 70, 50 + side * 30, 82, 50 + side * 14, 74)
    pen.blob(pen.main, 50, 2, 64, 20, 68, 46, 62, 76, 38, 76, 32, 46, 36, 20)
    pen.blob("c9362c", 50, 2, 58, 10, 62, 20, 50, 22, 38, 20, 42, 10)
    pen.oval("6a7890", 50, 38, 10)
    pen.oval(_GLASS, 50, 38, 7.4)
    pen.box("c9362c", 47.5, 56, 5, 24, 2)


@subject(AIR, "d9423a 8a4ac9 f0a02c 2f8fb0", "hot-air-balloon zeppelin airship 🎈")
def balloon(pen: Pen) -> None:
    """A striped hot-air balloon."""
    for x in (38, 62):
        pen.line("6b4a30", 1.3, x, 66, 50 + (x - 50) * 0.6, 82)
    top = 50, 2
    pen.blob(pen.main, *top, 76, 10, 88, 36, 76, 58, 60, 70, 40, 70, 24, 58, 12, 36, 24, 10)
    pen.blob(pen.light, *top, 62, 10, 68, 36, 62, 58, 56, 70, 44, 70, 38, 58, 32, 36, 38, 10)
    pen.blob("fbf3d8", *top, 54, 10, 56, 36, 54, 58, 52, 70, 48, 70, 46, 58, 44, 36, 46, 10)
    pen.box(pen.dark, 39, 66, 22, 5, 2)
    pen.box("8a5a34", 41, 81, 18, 14, 3)
    pen.line("6b4428", 1.4, 42, 86, 58, 86)
    pen.line("6b4428", 1.4, 42, 90, 58, 90)


@subject(LAND, "2f4f7f 8f2f2f 2f6f4f", "locomotive railway steam-engine subway 🚂 🚆")
def train(pen: Pen) -> None:
    """A steam engine with its smoke."""
    for x, y, r in ((68, 16, 6), (58, 8, 8), (42, 5, 7)):
        pen.oval("e6e4ea", x, y, r)
    pen.box("6a5a50", 0, 92, 100, 3)
    pen.box(pen.main, 8, 26, 32, 54, 3)
    pen.box(pen.dark, 4, 22, 40, 6, 3)
    pen.box(_GLASS, 15, 34, 18, 16, 2)
    pen.box(pen.main, 38, 46, 50, 32, 12)
    pen.box(pen.light, 58, 46, 4, 32)
    pen.poly(INK, 68, 46, 66, 26, 80, 26, 78, 46)
    pen.pie("f0b429", 52, 46, 6, 180, 360)
    pen.poly("c9362c", 84, 78, 98, 92, 80, 92)
    pen.oval("fff3b0", 89, 58, 4)
    for x, r in ((18, 9), (40, 11), (62, 11), (80, 7)):
        _wheel(pen, x, 93 - r, r)
    pen.line("9aa0aa", 2.4, 40, 84, 62, 84)
