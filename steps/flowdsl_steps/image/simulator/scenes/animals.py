"""Animals of the land and the air."""

from __future__ import annotations

from flowdsl_steps.image.simulator.pen import INK, WHITE, Pen
from flowdsl_steps.image.simulator.scenes.subject import AIR, LAND, subject


@subject(LAND, "e8963c 8d8a94 4a4550 d8b48c", "kitten kitty feline tabby 🐱 🐈")
def cat(pen: Pen) -> None:
    """A sitting cat with its tail around it."""
    pen.curve(pen.dark, 7, 66, 90, 86, 88, 90, 70, 82, 58)
    pen.blob(pen.main, 50, 46, 68, 62, 74, 92, 50, 96, 26, 92, 32, 62)
    pen.oval(pen.light, 50, 78, 13, 16)
    for side in (-1, 1):
        pen.oval(pen.light, 50 + side * 12, 92, 8, 4.5)
        pen.poly(pen.main, 50 + side * 24, 8, 50 + side * 25, 36, 50 + side * 4, 24)
        pen.poly("f2a9b0", 50 + side * 21, 15, 50 + side * 21, 32, 50 + side * 9, 24)
    pen.oval(pen.main, 50, 36, 25, 21)
    for x in (42, 50, 58):
        pen.line(pen.dark, 2.2, x, 17, 50 + (x - 50) * 0.7, 25)
    pen.oval(pen.light, 50, 44, 11, 8)
    pen.eyes(50, 34, 11, 4, "2f5d3a")
    pen.poly("e07a86", 46.5, 40, 53.5, 40, 50, 44)
    for side in (-1, 1):
        pen.curve(INK, 1, 50, 44, 50 + side * 3, 47, 50 + side * 7, 45)
        for rise in (-2, 1, 4):
            pen.line(WHITE, 0.8, 50 + side * 10, 44 + rise * 0.5, 50 + side * 34, 42 + rise * 2)


@subject(LAND, "b9793f e6c48c 6b4a35 f0ece4", "puppy pup hound corgi labrador terrier poodle 🐶 🐕")
def dog(pen: Pen) -> None:
    """A sitting dog with hanging ears and its tongue out."""
    pen.curve(pen.main, 6, 70, 86, 84, 78, 90, 62)
    pen.blob(pen.main, 50, 50, 67, 64, 72, 94, 50, 96, 28, 94, 33, 64)
    pen.oval(pen.light, 50, 76, 11, 17)
    for side in (-1, 1):
        pen.box(pen.main, 50 + side * 11 - 5, 74, 10, 20, 4)
        pen.oval(pen.light, 50 + side * 12, 93, 8, 4)
    pen.blob(pen.main, 50, 10, 70, 20, 70, 42, 50, 54, 30, 42, 30, 20)
    for side in (-1, 1):
        pen.blob(
            pen.dark, 50 + side * 15, 13, 50 + side * 28, 20, 50 + side * 33, 44, 50 + side * 25, 50, 50 + side * 19, 34
        )
    pen.poly("f06a7a", 46, 46, 54, 46, 55, 58, 50, 62, 45, 58)
    pen.oval(pen.light, 50, 42, 14, 11)
    pen.oval(INK, 50, 36, 6, 4.5)
    pen.line(INK, 1.4, 50, 40, 50, 46)
    pen.curve(INK, 1.4, 41, 46, 46, 49, 50, 46, 54, 49, 59, 46)
    pen.eyes(50, 27, 9, 3.2)
    pen.box("d13b3b", 34, 54, 32, 5, 2.5)
    pen.oval("f2c94c", 50, 61, 4)


@subject(LAND, "d9622b e07b39 c4502a", "vixen 🦊")
def fox(pen: Pen) -> None:
    """A fox that stands sideways, with a white tip to its tail."""
    pen.blob(pen.main, 22, 66, 4, 58, 2, 36, 10, 22, 20, 34, 28, 52)
    pen.blob(WHITE, 3, 40, 10, 18, 17, 30, 12, 38)
    for x in (30, 38, 60, 67):
        pen.poly("4a2a20", x, 70, x + 7, 70, x + 5.5, 95, x + 0.5, 95)
    pen.blob(pen.main, 20, 56, 46, 50, 70, 52, 78, 60, 72, 76, 46, 76, 26, 76)
    pen.blob(WHITE, 66, 56, 78, 56, 76, 72, 68, 76)
    pen.poly(pen.main, 58, 10, 74, 30, 60, 40)
    pen.poly(pen.main, 88, 10, 88, 34, 74, 32)
    pen.poly("4a2a20", 60, 15, 68, 27, 62, 30)
    pen.poly("4a2a20", 87, 15, 86, 28, 80, 27)
    pen.blob(pen.main, 58, 30, 74, 24, 92, 32, 88, 48, 76, 62, 62, 50)
    pen.poly(WHITE, 58, 42, 68, 42, 76, 60, 64, 54)
    pen.poly(WHITE, 92, 40, 83, 42, 76, 60, 86, 52)
    pen.oval(INK, 76, 60, 4, 3)
    pen.eyes(75, 40, 8, 2.6)


@subject(LAND, "b8a79a d9cfc6 8f7d70", "bunny bunnies hare 🐰 🐇")
def rabbit(pen: Pen) -> None:
    """A rabbit with long ears."""
    pen.oval(WHITE, 74, 86, 8)
    pen.blob(pen.main, 50, 54, 70, 70, 72, 92, 50, 96, 28, 92, 30, 70)
    pen.oval(pen.light, 50, 80, 12, 14)
    for side in (-1, 1):
        pen.oval(pen.main, 50 + side * 13, 20, 7.5, 22, side * 10)
        pen.oval("f2b6bd", 50 + side * 13, 20, 4, 16, side * 10)
        pen.oval(pen.light, 50 + side * 15, 93, 10, 4.5)
    pen.oval(pen.main, 50, 50, 21, 18)
    pen.oval(pen.light, 50, 57, 10, 7)
    pen.eyes(50, 46, 10, 3.2)
    pen.poly("e07a86", 47, 53, 53, 53, 50, 56)
    pen.box(WHITE, 47.5, 60, 2.3, 5)
    pen.box(WHITE, 50.2, 60, 2.3, 5)


@subject(LAND, "8b95a5 9aa0ac 7c8797", "🐘 mammoth")
def elephant(pen: Pen) -> None:
    """An elephant sideways, its trunk hanging."""
    pen.curve(pen.dark, 2.5, 8, 50, 3, 60, 5, 70)
    for x in (16, 30, 50, 62):
        pen.box(pen.dark if x in (30, 62) else pen.main, x, 64, 13, 31, 3)
        pen.box(pen.light, x + 1.5, 91, 10, 4, 2)
    pen.blob(pen.main, 8, 52, 24, 30, 54, 30, 76, 44, 76, 70, 44, 78, 14, 74)
    pen.oval(pen.main, 72, 40, 19, 20)
    pen.curve(pen.main, 11, 84, 42, 90, 58, 88, 74, 92, 86)
    pen.curve(WHITE, 4, 80, 56, 88, 64, 96, 62)
    pen.blob(pen.dark, 50, 24, 66, 26, 68, 48, 58, 62, 46, 54, 42, 34)
    pen.blob("c99aa4", 52, 30, 62, 32, 63, 46, 57, 55, 49, 49, 47, 36)
    pen.eyes(79, 34, 0, 2.6)


@subject(LAND, "8a5a36 5a3b2a d9b380 3f3a40", "pony ponies stallion mare foal unicorn 🐴 🐎 🦄")
def horse(pen: Pen) -> None:
    """A horse sideways."""
    pen.blob("3a2620", 16, 44, 6, 52, 2, 80, 10, 84, 16, 62)
    for x, lean in ((20, -2), (30, 1), (58, 1), (67, 2)):
        pen.poly(pen.dark if lean == 1 else pen.main, x, 60, x + 9, 60, x + 6 + lean, 92, x + 1 + lean, 92)
        pen.box(INK, x + lean, 90, 8, 5)
    pen.blob(pen.main, 12, 46, 34, 40, 58, 44, 76, 42, 78, 62, 62, 70, 34, 66, 16, 66)
    pen.poly(pen.main, 58, 48, 68, 18, 82, 16, 80, 56, 70, 62)
    pen.blob(pen.main, 68, 14, 82, 12, 97, 32, 95, 41, 87, 42, 76, 32)
    pen.poly(pen.main, 72, 14, 74, 3, 80, 12)
    pen.blob("3a2620", 74, 8, 66, 12, 54, 40, 58, 50, 66, 40, 72, 22)
    pen.eyes(82, 22, 0, 2.2)
    pen.oval(INK, 93, 36, 1.4)


@subject(LAND, "f4f1ea ece6da", "lamb ram 🐑")
def sheep(pen: Pen) -> None:
    """A woolly sheep."""
    for x in (28, 40, 56, 66):
        pen.box("4a4048", x, 72, 6, 23, 2)
    for x, y, r in ((24, 52, 14), (36, 40, 15), (52, 38, 15), (66, 48, 14), (64, 62, 14), (48, 66, 16), (30, 64, 14)):
        pen.oval(pen.main, x, y, r)
    pen.oval(pen.main, 46, 53, 24, 18)
    pen.curve("d8d0c2", 1.5, 32, 46, 38, 50, 44, 45)
    pen.curve("d8d0c2", 1.5, 46, 60, 52, 64, 58, 59)
    pen.oval("4a4048", 80, 46, 10, 14, -12)
    pen.oval("4a4048", 67, 38, 7, 3.5, 24)
    pen.oval("4a4048", 92, 36, 6, 3.5, -24)
    pen.oval(pen.main, 76, 33, 9, 6)
    pen.eyes(81, 43, 4, 2, "f0e8dc")


@subject(LAND, "8c5f3a 6e4a30 f2f0ea 3c3638", "grizzly panda teddy teddy-bear 🐻 🐼 🧸 koala")
def bear(pen: Pen) -> None:
    """A bear that sits and looks at one."""
    for side in (-1, 1):
        pen.oval(pen.main, 50 + side * 20, 14, 10)
        pen.oval("d99a8a", 50 + side * 20, 14, 5.5)
        pen.oval(pen.dark, 50 + side * 25, 88, 12, 8)
        pen.oval(pen.light, 50 + side * 25, 88, 6, 4.5)
    pen.oval(pen.main, 50, 74, 28, 21)
    pen.oval(pen.light, 50, 77, 16, 14)
    for side in (-1, 1):
        pen.oval(pen.dark, 50 + side * 28, 68, 8, 14, side * -24)
    pen.oval(pen.main, 50, 33, 28, 25)
    pen.oval(pen.light, 50, 42, 13, 11)
    pen.oval(INK, 50, 36, 6, 4.5)
    pen.curve(INK, 1.6, 44, 46, 47, 48.5, 50, 46, 53, 48.5, 56, 46)
    pen.eyes(50, 27, 12, 3.2)


@subject(LAND, "e2a13a d9903a", "lioness 🦁 tiger")
def lion(pen: Pen) -> None:
    """A lion's head in its mane."""
    pen.star("8f4a1e", 50, 50, 47, 18, 0.84)
    pen.star("b5651d", 50, 50, 40, 18, 0.86)
    for side in (-1, 1):
        pen.oval(pen.main, 50 + side * 22, 24, 8)
        pen.oval("f2c9a0", 50 + side * 22, 24, 4.5)
    pen.oval(pen.main, 50, 50, 27, 28)
    pen.oval("f7e3c0", 50, 64, 15, 11)
    pen.poly("6b3420", 43, 54, 57, 54, 50, 61)
    pen.curve(INK, 1.6, 42, 67, 46, 69, 50, 65, 54, 69, 58, 67)
    pen.line(INK, 1.6, 50, 60, 50, 65)
    pen.eyes(50, 43, 11, 3.4)


@subject(AIR, "3f7fc4 d9534f e2b33c 4a9a6a", "sparrow robin parrot songbird canary eagle pigeon dove 🐦 🦅 🦜")
def bird(pen: Pen) -> None:
    """A bird on a branch."""
    pen.curve("6b4a30", 5, 4, 84, 40, 82, 96, 88)
    for x, y in ((18, 78), (84, 80)):
        pen.oval("5f9a4a", x, y, 8, 4, -30)
    pen.poly(pen.dark, 30, 62, 6, 70, 4, 80, 36, 74)
    pen.blob(pen.main, 34, 56, 44, 34, 66, 20, 82, 30, 80, 54, 66, 76, 42, 78)
    pen.blob("f7ecd0", 78, 44, 76, 62, 62, 76, 52, 72, 66, 56)
    pen.blob(pen.dark, 36, 52, 58, 44, 66, 56, 50, 70, 20, 72)
    pen.poly("f0a030", 82, 34, 97, 40, 81, 44)
    pen.eyes(73, 34, 0, 3.4)
    for x in (54, 62):
        pen.line("d98a2a", 2, x, 75, x, 84)


@subject(AIR, "7d5a3c 8a7a6a a5673a", "🦉")
def owl(pen: Pen) -> None:
    """An owl on a branch."""
    pen.curve("5b4030", 6, 4, 88, 50, 86, 96, 90)
    for side in (-1, 1):
        pen.poly(pen.dark, 50 + side * 26, 4, 50 + side * 28, 30, 50 + side * 6, 20)
    pen.blob(pen.main, 50, 14, 74, 22, 78, 60, 66, 86, 50, 90, 34, 86, 22, 60, 26, 22)
    for side in (-1, 1):
        pen.blob(pen.dark, 50 + side * 26, 40, 50 + side * 32, 60, 50 + side * 22, 84, 50 + side * 18, 60)
    for row, y in enumerate((58, 66, 74)):
        for x in range(-2 + row % 2, 3):
            pen.pie(pen.light, 50 + x * 7 + (row % 2) * -3.5, y, 4, 0, 180)
    for side in (-1, 1):
        pen.oval(WHITE, 50 + side * 12, 34, 13)
        pen.oval("f0b429", 50 + side * 12, 34, 9)
        pen.oval(INK, 50 + side * 12, 34, 5)
        pen.oval(WHITE, 50 + side * 12 + 2, 32, 1.6)
        pen.oval("f0a030", 50 + side * 9, 87, 5, 3)
    pen.poly("f0a030", 46, 40, 54, 40, 50, 50)


@subject(LAND, "f0ece4 c4502a f2c14e", "hen rooster cockerel duck duckling goose 🐔 🐓 🦆 🐤 chick")
def chicken(pen: Pen) -> None:
    """A hen sideways."""
    for x in (44, 56):
        pen.line("e39a2d", 2.6, x, 78, x, 93)
        pen.line("e39a2d", 2.6, x - 5, 94, x + 6, 94)
    pen.poly(pen.dark, 26, 54, 4, 30, 10, 66)
    pen.poly(pen.light, 24, 58, 2, 44, 14, 72)
    pen.blob(pen.main, 18, 52, 40, 52, 62, 36, 76, 46, 74, 70, 56, 84, 32, 80)
    pen.blob(pen.main, 58, 24, 70, 16, 80, 24, 78, 50, 60, 50)
    pen.blob(pen.dark, 34, 56, 56, 56, 54, 72, 38, 72)
    for x in (64, 70, 76):
        pen.oval("d8352f", x, 14, 4.5)
    pen.oval("d8352f", 80, 38, 3.2, 6)
    pen.poly("f0a030", 79, 25, 93, 30, 79, 34)
    pen.eyes(73, 25, 0, 2.6)


@subject(AIR, "e8743b 6a5acd 3f9fd0 d9468f", "moth 🦋")
def butterfly(pen: Pen) -> None:
    """A butterfly with its wings spread."""
    for side in (-1, 1):
        pen.blob(pen.dark, 50, 46, 50 + side * 20, 12, 50 + side * 46, 10, 50 + side * 44, 42, 50 + side * 20, 54)
        pen.blob(
            pen.main, 50 + side * 4, 44, 50 + side * 21, 17, 50 + side * 42, 15, 50 + side * 40, 40, 50 + side * 18, 49
        )
        pen.blob(pen.dark, 50, 54, 50 + side * 26, 54, 50 + side * 38, 74, 50 + side * 22, 92, 50 + side * 6, 76)
        pen.blob(
            pen.light, 50 + side * 5, 58, 50 + side * 24, 58, 50 + side * 33, 74, 50 + side * 21, 86, 50 + side * 9, 74
        )
        pen.oval(WHITE, 50 + side * 31, 25, 5)
        pen.oval(WHITE, 50 + side * 22, 36, 3.4)
        pen.oval(pen.dark, 50 + side * 21, 72, 4.5)
        pen.curve(INK, 1.3, 50, 26, 50 + side * 6, 12, 50 + side * 13, 6)
    pen.oval(INK, 50, 54, 3.6, 26)
    pen.oval(INK, 50, 28, 4.4)


@subject(AIR, "f5c02e f0b020", "bumblebee wasp honey honeybee 🐝 ladybug beetle")
def bee(pen: Pen) -> None:
    """A striped bee in flight."""
    for x, turn in ((40, -30), (56, 16)):
        pen.oval("cfe6f5", x, 24, 13, 24, turn)
    pen.poly(INK, 10, 60, 22, 52, 22, 68)
    pen.oval(pen.main, 50, 60, 32, 24)
    for x, half in ((34, 20), (48, 24), (62, 22)):
        pen.box(INK, x - 3.5, 60 - half, 7, half * 2, 3)
    pen.oval(INK, 80, 56, 14, 15)
    for side in (-1, 1):
        pen.curve(INK, 1.8, 84, 44, 88 + side * 3, 34, 92 + side * 4, 28)
    pen.eyes(84, 53, 5, 3.4, "fdf6d8")
    pen.curve("fdf6d8", 1.6, 79, 62, 84, 66, 89, 62)


@subject(LAND, "6a9a3a 4f8a4a b09a3a", "dragon dinosaur dino t-rex lizard crocodile 🐉 🐲 🦕 🦖")
def dinosaur(pen: Pen) -> None:
    """A long-necked dinosaur with plates on its back."""
    for x, y in ((26, 46), (36, 37), (48, 34), (60, 36), (70, 32), (75, 20)):
        pen.poly("e0803a", x - 6, y + 8, x, y - 6, x + 6, y + 6)
    pen.curve(pen.main, 9, 30, 66, 14, 74, 3, 88)
    pen.blob(pen.main, 18, 60, 34, 42, 58, 40, 76, 52, 72, 76, 40, 82)
    pen.curve(pen.main, 14, 66, 54, 78, 40, 80, 18)
    pen.blob(pen.main, 74, 10, 86, 6, 98, 16, 92, 24, 76, 24)
    pen.oval(pen.light, 48, 74, 20, 7)
    for x in (30, 40, 56, 66):
        pen.box(pen.dark if x in (40, 66) else pen.main, x, 72, 9, 23, 3)
    pen.eyes(84, 13, 0, 2.4)
    pen.line(pen.dark, 1.2, 88, 20, 95, 18)
