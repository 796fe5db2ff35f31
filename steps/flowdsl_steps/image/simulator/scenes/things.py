"""Things of the house and the desk."""

from __future__ import annotations

import math

from flowdsl_steps.image.simulator.pen import INK, WHITE, Pen
from flowdsl_steps.image.simulator.scenes.subject import TABLE, subject


@subject(TABLE, "3a6ac9 b8423a 2f7f5f 7a4a9a", "novel notebook diary library album 📖 📚")
def book(pen: Pen) -> None:
    """An open book."""
    pen.poly(pen.main, 2, 24, 50, 34, 98, 24, 98, 86, 50, 94, 2, 86)
    for side in (-1, 1):
        pen.blob(
            "fbf6ea",
            50,
            32,
            50 + side * 20,
            22,
            50 + side * 43,
            22,
            50 + side * 44,
            50,
            50 + side * 43,
            80,
            50 + side * 20,
            80,
            50,
            88,
        )
        for row in range(6):
            pen.line("b8b0a0", 1.6, 50 + side * 9, 40 + row * 8 - 2, 50 + side * 36, 34 + row * 8)
    pen.line("cfc6b4", 1.6, 50, 33, 50, 88)
    pen.poly("d9423a", 66, 24, 72, 23, 72, 46, 69, 42, 66, 47)


@subject(TABLE, "d9423a 3a78c9 2f7f6f 4a4550", "watch wristwatch alarm alarm-clock timer hourglass ⏰ ⌚ 🕰")
def clock(pen: Pen) -> None:
    """An alarm clock."""
    for side in (-1, 1):
        pen.line(pen.dark, 5, 50 + side * 22, 82, 50 + side * 30, 94)
        pen.oval(pen.dark, 50 + side * 25, 16, 14, 9, side * 38)
    pen.line(pen.dark, 4, 50, 18, 50, 8)
    pen.oval(pen.main, 50, 52, 38)
    pen.oval("fbf8f0", 50, 52, 31)
    for index in range(12):
        x, y = math.sin(math.tau * index / 12), -math.cos(math.tau * index / 12)
        pen.line(INK, 2.4 if index % 3 == 0 else 1.2, 50 + x * 24, 52 + y * 24, 50 + x * 28, 52 + y * 28)
    pen.line(INK, 3.6, 50, 52, 38, 42)
    pen.line(INK, 2.6, 50, 52, 62, 32)
    pen.oval(pen.main, 50, 52, 3.6)


@subject(TABLE, "f0b429 f5cf4a", "lightbulb light-bulb bulb idea 💡")
def lamp(pen: Pen) -> None:
    """A light bulb that shines."""
    for index in range(9):
        angle = math.pi * index / 8 + math.pi
        x, y = math.cos(angle), math.sin(angle)
        pen.line(pen.light, 3.4, 50 + x * 39, 40 + y * 36, 50 + x * 48, 40 + y * 44)
    pen.blob(pen.main, 50, 10, 72, 20, 78, 42, 64, 62, 60, 74, 40, 74, 36, 62, 22, 42, 28, 20)
    pen.blob(pen.light, 38, 20, 48, 17, 40, 32, 34, 44, 31, 34)
    pen.curve("a5601a", 1.8, 44, 74, 42, 52, 46, 44, 50, 52, 54, 44, 58, 52, 56, 74)
    for row in range(3):
        pen.box("8a909a", 39, 75 + row * 6, 22, 5, 2.5)
    pen.oval("5a6068", 50, 94, 7, 3)


@subject(TABLE, "b8793f 3a7f8f c9603a 5a7a4a", "armchair sofa couch stool seat furniture 🪑 🛋")
def chair(pen: Pen) -> None:
    """An armchair."""
    for x in (20, 72):
        pen.poly("5a3a24", x, 82, x + 8, 82, x + 6, 96, x + 2, 96)
    pen.box(pen.main, 20, 12, 60, 60, 16)
    pen.box(pen.light, 27, 18, 46, 46, 12)
    pen.box(pen.main, 16, 58, 68, 26, 8)
    pen.box(pen.light, 22, 56, 56, 16, 7)
    for x in (6, 78):
        pen.box(pen.dark, x, 42, 16, 44, 8)
    for x in (40, 50, 60):
        pen.oval(pen.dark, x, 34, 1.8)


@subject(TABLE, "3a3f4a 5a4a3a 7a2f2f", "camera photograph photographer photo-camera 📷 📸")
def camera(pen: Pen) -> None:
    """A camera."""
    pen.box(pen.main, 30, 18, 34, 20, 5)
    pen.box("c9ced6", 74, 24, 12, 8, 3)
    pen.box(pen.main, 4, 30, 92, 58, 9)
    pen.box("c9b28a", 4, 42, 92, 32)
    pen.oval("d8dce2", 50, 58, 27)
    pen.oval(INK, 50, 58, 22)
    pen.oval("3a5a8a", 50, 58, 15)
    pen.oval("6f9fd0", 50, 58, 9)
    pen.oval(WHITE, 44, 51, 4)
    pen.box("fff6c9", 38, 22, 18, 9, 2)
    pen.oval("d9423a", 88, 37, 3)


@subject(TABLE, "d9423a 3a78c9 8a4ac9 f0a02c", "parasol rain ☂ ☔ 🌂", weak="rainy")
def umbrella(pen: Pen) -> None:
    """An open umbrella."""
    pen.line("5a4030", 3, 50, 6, 50, 84)
    pen.curve("5a4030", 4, 50, 82, 52, 93, 60, 94, 64, 86)
    pen.pie(pen.main, 50, 54, 46, 180, 360)
    pen.blob(pen.light, 50, 8, 62, 28, 66, 54, 50, 54, 34, 54, 38, 28)
    for x in (15.5, 50, 84.5):
        pen.pie(pen.dark, x, 54, 11.5 if x != 50 else 16, 180, 360)
    pen.line("5a4030", 3, 50, 38, 50, 60)


@subject(TABLE, "8a9ab0 5fa0b0 c9a03a d97a5a", "android droid cyborg machine 🤖")
def robot(pen: Pen) -> None:
    """A robot with an antenna."""
    pen.line("6a7080", 2.6, 50, 16, 50, 6)
    pen.oval("d9423a", 50, 5, 4)
    for side in (-1, 1):
        pen.box("6a7080", 50 + side * 29 - 3, 26, 6, 14, 2)
        pen.line("6a7080", 6, 50 + side * 26, 56, 50 + side * 40, 66, 50 + side * 38, 78)
        pen.oval(pen.dark, 50 + side * 38, 80, 6)
        pen.box("6a7080", 50 + side * 12 - 4, 82, 8, 10)
        pen.box(pen.dark, 50 + side * 13 - 9, 89, 18, 7, 3)
    pen.box(pen.main, 24, 14, 52, 36, 8)
    pen.box("22303f", 30, 20, 40, 24, 6)
    for side in (-1, 1):
        pen.oval("6ff0e0", 50 + side * 10, 29, 5)
    pen.box("6ff0e0", 41, 37, 18, 3, 1.5)
    pen.box(pen.main, 26, 52, 48, 32, 6)
    pen.box(pen.light, 34, 58, 32, 18, 3)
    for x, fill in ((41, "d9423a"), (50, "f0b429"), (59, "3aa06a")):
        pen.oval(fill, x, 67, 3)


@subject(TABLE, "d9423a 3a9a6a 3a6ac9 c94a8f", "present parcel package box birthday christmas 🎁 📦")
def gift(pen: Pen) -> None:
    """A present with a bow."""
    pen.box(pen.main, 12, 44, 76, 51, 2)
    pen.box(pen.light, 6, 30, 88, 17, 3)
    pen.box("f7d774", 43, 30, 14, 65)
    for side in (-1, 1):
        pen.blob("f0c24a", 50, 29, 50 + side * 12, 8, 50 + side * 30, 8, 50 + side * 26, 25)
        pen.blob(pen.main, 50 + side * 7, 25, 50 + side * 13, 14, 50 + side * 24, 13, 50 + side * 20, 22)
    pen.oval("e0a92c", 50, 28, 6)


@subject(TABLE, "c9a03a d9b24a 8a909a", "lock keyhole 🔑 🗝")
def key(pen: Pen) -> None:
    """A key."""
    pen.oval(pen.main, 26, 40, 22)
    pen.oval("4a4038", 22, 38, 9)
    pen.line(pen.main, 9, 42, 50, 90, 82)
    pen.line(pen.main, 7, 74, 72, 66, 84)
    pen.line(pen.main, 7, 85, 79, 78, 91)
    pen.line(pen.light, 2, 40, 46, 84, 76)
    pen.curve(pen.light, 3, 10, 36, 16, 25, 27, 22)


@subject(TABLE, "d9423a 3a78c9 3f3a48 e6e6e6", "sneaker trainer boot footwear sandal 👟 👠 👢")
def shoe(pen: Pen) -> None:
    """A sneaker."""
    pen.blob(pen.main, 8, 42, 22, 34, 38, 38, 52, 54, 78, 62, 95, 72, 94, 84, 50, 86, 8, 84)
    pen.blob("fbf8f0", 72, 62, 92, 68, 95, 80, 78, 82)
    pen.box("fbf8f0", 4, 80, 92, 12, 5)
    pen.box(pen.dark, 4, 88, 92, 5, 2)
    pen.poly("fbf8f0", 22, 76, 34, 56, 44, 62, 60, 76, 52, 76, 40, 67, 30, 76)
    for x, y in ((42, 44), (49, 51), (57, 56), (65, 60)):
        pen.line("fbf8f0", 2.6, x - 4, y + 6, x + 4, y - 2)
    pen.oval(pen.dark, 15, 40, 10, 4, -16)


@subject(TABLE, "3f3a48 8a5a34 7a2f4a", "cap fedora top-hat helmet crown 🎩 👑 👒")
def hat(pen: Pen) -> None:
    """A top hat."""
    pen.oval(pen.dark, 50, 82, 46, 11)
    pen.oval(pen.main, 50, 79, 46, 10)
    pen.poly(pen.main, 24, 18, 76, 18, 72, 80, 28, 80)
    pen.oval(pen.main, 50, 79, 22, 6)
    pen.poly("c9362c", 26.4, 60, 73.6, 60, 72.4, 74, 27.6, 74)
    pen.oval(pen.light, 50, 18, 26, 7)
    pen.oval(pen.dark, 50, 18, 21, 5)


@subject(
    TABLE,
    "3f4652 c9ced6 3a6ac9",
    "laptop desktop pc keyboard monitor screen website app dashboard 💻 🖥 phone smartphone",
)
def computer(pen: Pen) -> None:
    """A laptop."""
    pen.box(pen.main, 14, 18, 72, 54, 5)
    pen.box("1e2a3a", 19, 23, 62, 43, 2)
    for row, (x, long, fill) in enumerate(
        ((24, 20, "6ff0b0"), (30, 32, "f0c24a"), (30, 22, "7fc4f5"), (30, 38, "f08aa0"), (24, 12, "6ff0b0"))
    ):
        pen.box(fill, x, 29 + row * 7, long, 3, 1.5)
    pen.poly(pen.light, 14, 72, 86, 72, 98, 90, 2, 90)
    pen.poly(pen.dark, 20, 75, 80, 75, 85, 83, 15, 83)
    pen.box(pen.dark, 2, 90, 96, 4, 2)
    pen.poly(pen.main, 42, 85, 58, 85, 60, 89, 40, 89)


@subject(TABLE, "c9603a 3a7f9a 8aa04a e0d0b0", "jug pottery pitcher amphora urn 🏺")
def vase(pen: Pen) -> None:
    """A vase with a pattern."""
    for side in (-1, 1):
        pen.curve(pen.dark, 4.5, 50 + side * 12, 22, 50 + side * 28, 24, 50 + side * 24, 42)
    pen.blob(pen.main, 42, 10, 58, 10, 58, 28, 78, 50, 72, 78, 60, 95, 40, 95, 28, 78, 22, 50, 42, 28)
    pen.oval(pen.dark, 50, 10, 13, 4)
    pen.blob(pen.light, 24, 48, 50, 50, 76, 48, 77, 56, 50, 58, 23, 56)
    for x in (32, 44, 56, 68):
        pen.poly(pen.dark, x - 5, 66, x, 60, x + 5, 66, x, 72)


@subject(TABLE, "7fb08a 3a6a4a 8a2f3a 2f4f7f", "wine champagne perfume flask potion beer 🍷 🍾 🍺 🍶")
def bottle(pen: Pen) -> None:
    """A bottle and a glass."""
    pen.box("b8452c", 28, 4, 12, 12, 2)
    pen.blob(pen.main, 28, 14, 40, 14, 41, 32, 52, 46, 53, 92, 34, 96, 15, 92, 16, 46, 27, 32)
    pen.box("fbf6ea", 16, 54, 36, 26, 2)
    pen.box(pen.dark, 22, 60, 24, 3, 1.5)
    pen.box(pen.dark, 22, 67, 16, 3, 1.5)
    pen.poly("e0f0f5", 62, 44, 94, 44, 88, 68, 68, 68)
    pen.pie("e0f0f5", 78, 64, 11.5, 0, 180)
    pen.poly("a5283c", 64, 52, 92, 52, 88, 67, 68, 67)
    pen.pie("a5283c", 78, 64, 10, 0, 180)
    pen.line("e0f0f5", 3, 78, 74, 78, 92)
    pen.oval("e0f0f5", 78, 93, 12, 3)


@subject(
    TABLE,
    "8a5a34 c9a03a 3f3a48",
    "frame painting gallery",
    weak="poster banner artwork print logo illustration card postcard cover flyer",
)
def picture(pen: Pen) -> None:
    """A framed picture on its easel."""
    for side in (-1, 1):
        pen.line("7a5030", 4, 50 + side * 10, 6, 50 + side * 34, 95)
    pen.line("7a5030", 4, 50, 8, 50, 88)
    pen.box(pen.main, 8, 16, 84, 62, 3)
    pen.box("f7f0e0", 14, 22, 72, 50)
    pen.box("9fd0ea", 18, 26, 64, 42)
    pen.oval("fff3c0", 66, 38, 7)
    pen.poly("5f8a5a", 18, 68, 18, 56, 38, 38, 56, 60, 66, 50, 82, 64, 82, 68)
    pen.box(pen.dark, 4, 78, 92, 5, 2)


@subject(TABLE, "d9344a e0507a c9283c", "love valentine ❤ 💖 💕", weak="wedding romance")
def heart(pen: Pen) -> None:
    """A heart."""
    pen.poly(pen.dark, 6, 48, 94, 48, 50, 95)
    for side in (-1, 1):
        pen.oval(pen.main, 50 + side * 21, 36, 24.5)
    pen.poly(pen.main, 29, 30, 71, 30, 92, 48, 50, 92, 8, 48)
    pen.blob(pen.light, 18, 32, 28, 20, 36, 22, 26, 34, 22, 46)


@subject(TABLE, "f5e9d0 d9423a 6a8fd9", "lantern torch flame fire campfire bonfire 🔥 🕯")
def candle(pen: Pen) -> None:
    """A candle that burns."""
    pen.oval("fbe6a0", 50, 22, 20, 22)
    pen.blob("f08a2c", 50, 2, 60, 18, 58, 32, 50, 37, 42, 32, 40, 18)
    pen.blob("fdf0a8", 50, 14, 55, 25, 50, 35, 45, 25)
    pen.line(INK, 1.6, 50, 33, 50, 42)
    pen.box(pen.main, 36, 40, 28, 48, 3)
    pen.blob(pen.light, 36, 40, 64, 40, 64, 46, 58, 58, 54, 48, 46, 54, 40, 46, 36, 50)
    pen.oval("a5793a", 50, 89, 34, 6)
    pen.oval("c9973f", 50, 87, 34, 5)
