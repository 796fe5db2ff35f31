"""Food and drink."""

from __future__ import annotations

from flowdsl_steps.image.simulator.pen import INK, WHITE, Pen
from flowdsl_steps.image.simulator.scenes.subject import TABLE, subject


@subject(TABLE, "d9342c 7ab03a e0b43a", "fruit peach plum cherry tomato 🍎 🍏 🍅 🍑")
def apple(pen: Pen) -> None:
    """An apple with a leaf."""
    pen.curve("5a3a24", 4, 50, 28, 50, 16, 55, 8)
    pen.blob("5f9a3a", 54, 16, 66, 4, 84, 6, 74, 20)
    pen.blob(pen.main, 50, 26, 70, 20, 90, 38, 86, 68, 66, 95, 50, 91, 34, 95, 14, 68, 10, 38, 30, 20)
    pen.blob(pen.light, 22, 38, 32, 30, 30, 46, 24, 60, 20, 52)
    pen.oval(pen.dark, 50, 28, 8, 3)


@subject(TABLE, "f0902c f5d03a 9ac93a", "lemon lime citrus grapefruit mandarin tangerine 🍊 🍋", weak="orange")
def orange_fruit(pen: Pen) -> None:
    """A citrus fruit and its half."""
    pen.oval(pen.main, 38, 50, 34)
    pen.blob("4f8a3a", 38, 18, 50, 6, 64, 8, 54, 20)
    pen.oval(pen.light, 24, 38, 7, 10, 30)
    pen.oval(pen.dark, 68, 72, 27)
    pen.oval("fbf3d8", 68, 72, 24.5)
    for index in range(8):
        pen.pie(pen.main, 68, 72, 22, index * 45 + 3, index * 45 + 42)
    pen.oval("fbf3d8", 68, 72, 3)


@subject(TABLE, "f2c92e f0d860", "🍌")
def banana(pen: Pen) -> None:
    """A bunch of bananas."""
    pen.curve(pen.dark, 17, 78, 14, 84, 46, 62, 76, 26, 84)
    pen.curve(pen.main, 16, 74, 14, 74, 44, 52, 66, 14, 70)
    pen.curve(pen.light, 5, 70, 20, 68, 42, 50, 60, 20, 65)
    pen.box("6b5020", 69, 2, 12, 12, 3)
    for x, y in ((8, 69), (20, 84)):
        pen.oval("6b5020", x, y, 4, 5)


@subject(TABLE, "f2a0b8 8a5a3a f7e3b0 d98ad0", "cupcake pie muffin bakery dessert gateau pancake 🥞 🎂 🍰 🧁")
def cake(pen: Pen) -> None:
    """A cake with candles."""
    pen.oval("e6e9ee", 50, 90, 48, 7)
    pen.box("c98a4a", 12, 52, 76, 38, 4)
    pen.box("fbf0d8", 12, 68, 76, 6)
    pen.box(pen.main, 10, 40, 80, 18, 8)
    for x in (18, 34, 50, 66, 82):
        pen.oval(pen.main, x, 57, 7, 8 if x in (34, 66) else 12)
    pen.oval(pen.light, 50, 41, 39, 6)
    for x, fill in ((32, "3a9ad9"), (50, "d9423a"), (68, "3aa06a")):
        pen.box(fill, x - 2.5, 20, 5, 21, 1)
        pen.blob("f7b52c", x, 6, x + 4, 14, x, 19, x - 4, 14)


@subject(TABLE, "f0b63a e8a030", "🍕 lasagna")
def pizza(pen: Pen) -> None:
    """A slice of pizza."""
    pen.blob("c9823a", 6, 24, 24, 12, 50, 8, 76, 12, 94, 24, 88, 32, 50, 24, 12, 32)
    pen.poly("d9482c", 12, 29, 50, 20, 88, 29, 50, 97)
    pen.poly(pen.main, 17, 31, 50, 23, 83, 31, 50, 92)
    for x, y, long in ((36, 42, 10), (62, 60, 8), (44, 70, 7)):
        pen.box(pen.main, x, y, 5, long + 8, 2.5)
    for x, y, r in ((34, 38, 7.5), (62, 38, 8), (48, 56, 8), (51, 77, 5)):
        pen.oval("b8322a", x, y, r)
        pen.oval("d9523f", x - 1, y - 1, r * 0.6)
    for x, y in ((48, 34), (60, 52), (40, 50)):
        pen.oval("4f8a3a", x, y, 3.4, 1.8, 40)


@subject(TABLE, "e0a04a d9923a", "hamburger cheeseburger sandwich hot-dog taco 🍔 🥪 🌮")
def burger(pen: Pen) -> None:
    """A burger."""
    pen.pie(pen.main, 50, 48, 42, 180, 360)
    for x, y in ((32, 26), (44, 16), (58, 18), (68, 28), (50, 30)):
        pen.oval("fbf0d0", x, y, 3, 1.8, 20)
    pen.blob("7ab03a", 4, 50, 20, 46, 50, 50, 80, 46, 96, 50, 88, 59, 74, 54, 60, 60, 46, 54, 30, 60, 14, 57)
    pen.box("d9423a", 10, 54, 80, 7, 3.5)
    pen.box("6b3f24", 6, 60, 88, 13, 6)
    pen.poly("f5c83a", 12, 60, 88, 60, 70, 67, 58, 61, 40, 68)
    pen.box(pen.main, 8, 74, 84, 18, 8)
    pen.box(pen.dark, 8, 84, 84, 8, 4)


@subject(TABLE, "f2a0b8 f7ecd0 8a5a3a 9fd9b8", "ice-cream gelato sorbet popsicle sundae 🍦 🍨")
def ice_cream(pen: Pen) -> None:
    """An ice cream cone."""
    pen.poly("d9a04a", 28, 50, 72, 50, 50, 97)
    for shift in (0, 10, 20):
        pen.line("b87a2c", 1.2, 32 + shift, 54, 52 + shift * 0.5, 90 - shift)
        pen.line("b87a2c", 1.2, 68 - shift, 54, 48 - shift * 0.5, 90 - shift)
    pen.oval("8a5a3a", 38, 42, 15)
    pen.oval("f7ecd0", 62, 42, 15)
    pen.oval(pen.main, 50, 24, 18)
    pen.box(pen.main, 28, 46, 44, 8, 4)
    pen.oval(pen.light, 44, 18, 5, 7, 30)
    pen.oval("d9283c", 53, 5, 4.5)


@subject(
    TABLE,
    "f7f3ea 3a6a9a c9523a 2f7f6f",
    "coffee tea mug espresso cappuccino latte teacup ☕ 🍵 cocoa",
    weak="cafe café",
)
def cup(pen: Pen) -> None:
    """A cup of coffee that steams."""
    for x in (32, 48, 64):
        pen.curve("eef0f4", 3, x, 34, x + 5, 26, x - 3, 16, x + 3, 6)
    pen.oval("e0e3ea", 46, 92, 46, 6)
    pen.oval(pen.dark, 80, 60, 15)
    pen.oval("cfd6de", 80, 60, 8)
    pen.blob(pen.main, 10, 42, 46, 46, 82, 42, 80, 66, 66, 88, 26, 88, 12, 66)
    pen.oval(pen.main, 46, 43, 36, 9)
    pen.oval("5a3420", 46, 43.5, 31, 6.5)
    pen.oval("b07a4a", 46, 44, 14, 3)


@subject(TABLE, "c9362c 2f5f8f f4efe4 3f3a48", "ramen noodle soup pasta spaghetti pho rice curry salad 🍜 🍲 🍚 🥗")
def bowl(pen: Pen) -> None:
    """A bowl of noodles with chopsticks."""
    pen.line("7a4a24", 3.4, 58, 44, 92, 2)
    pen.line("7a4a24", 3.4, 66, 46, 99, 8)
    pen.oval("f0c98a", 50, 48, 44, 15)
    for x in (18, 30, 42, 54, 66):
        pen.curve("fbe6a8", 3.4, x, 46, x + 6, 38, x + 12, 46, x + 16, 52)
    pen.oval(WHITE, 34, 42, 10, 7)
    pen.oval("f5a92c", 34, 42, 5, 4)
    pen.box("3f6a3a", 60, 32, 12, 15, 2)
    for x, y in ((48, 40), (54, 50), (22, 50)):
        pen.oval("6ab04a", x, y, 3, 2)
    pen.pie(pen.main, 50, 49, 46, 0, 180)
    pen.box(pen.dark, 32, 88, 36, 7, 2)
    pen.box(pen.light, 6, 54, 88, 4, 2)


@subject(TABLE, "d9a05a c98a44", "loaf baguette croissant toast bun bagel 🍞 🥖 🥐")
def bread(pen: Pen) -> None:
    """A loaf of bread."""
    pen.blob(pen.dark, 6, 58, 14, 36, 50, 28, 86, 36, 94, 58, 92, 86, 50, 92, 8, 86)
    pen.blob(pen.main, 8, 55, 16, 34, 50, 25, 84, 34, 92, 55, 88, 78, 50, 84, 12, 78)
    for x in (26, 44, 62):
        pen.curve("f7e0b0", 5, x, 60, x + 6, 46, x + 14, 36)


@subject(TABLE, "f4f1ea f7e3b0 e8d8c0", "eggs omelette breakfast brunch 🍳 🥚")
def egg(pen: Pen) -> None:
    """A fried egg in its pan."""
    pen.line("5a3a24", 8, 76, 38, 98, 10)
    pen.oval(INK, 44, 62, 42, 32)
    pen.oval("4a4552", 44, 60, 37, 27)
    pen.blob(WHITE, 18, 56, 30, 40, 50, 42, 70, 48, 68, 68, 50, 80, 28, 76)
    pen.oval("f5a92c", 44, 58, 12, 10)
    pen.oval("fbd06a", 40, 54, 4, 3)


@subject(TABLE, "f08a6a f0b060", "sashimi maki onigiri 🍣 🍙 seafood")
def sushi(pen: Pen) -> None:
    """Two pieces of sushi."""
    pen.box("7a4a2c", 2, 84, 96, 8, 2)
    for x in (14, 78):
        pen.box("5a3420", x, 92, 8, 4)
    pen.box("fbf8f0", 6, 62, 46, 22, 10)
    pen.blob(pen.main, 2, 62, 12, 44, 40, 44, 56, 60, 50, 68, 8, 70)
    for x in (16, 26, 36):
        pen.curve(pen.light, 2.6, x, 64, x + 4, 55, x + 3, 47)
    pen.oval("2f3a34", 78, 68, 18, 18)
    pen.oval("fbf8f0", 78, 62, 15, 11)
    pen.oval(pen.main, 76, 62, 6, 5)
    pen.oval("6ab04a", 84, 61, 4, 4)
