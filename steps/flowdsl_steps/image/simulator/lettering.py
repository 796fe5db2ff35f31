"""Draws text of every script with Pillow: each run in a font that has it, emoji as small shapes.

Pillow's own font has ASCII. The extra `simulator-fonts` brings the others; without it their text is named, not drawn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from flowdsl_steps.image.simulator.palettes import Colour, colour_of
from flowdsl_steps.image.simulator.pen import Pen
from flowdsl_steps.image.simulator.scenes.subject import emoji

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
INSTALL = "pip install 'flowdsl[simulator-fonts]'"

_BUILT_IN, _EMOJI, _MISSING = "built in", "emoji", "missing"
_SIGNS = "‘’“”…·°«»"
_ANY = "noto_cjk_sans_jp_regular/NotoSansCJKjp-Regular.otf"
"""Chinese, Japanese and Korean, and also Greek, Cyrillic, accents and signs."""
_FILES: Mapping[str, str] = {
    "Arabic": "pylopdf_fonts_ar/NotoSansArabic-Variable.ttf",
    "Hebrew": "pylopdf_fonts_he/NotoSansHebrew-Variable.ttf",
    "Devanagari": "pylopdf_fonts_hi/NotoSansDevanagari-Variable.ttf",
    "Thai": "pylopdf_fonts_th/NotoSansThai-Variable.ttf",
}
_NAMES: Mapping[str, str] = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "KATAKANA-HIRAGANA": "Japanese",
    "HANGUL": "Korean",
}
_SCRIPTS = ("Arabic", "Hebrew", "Devanagari", "Thai", "Cyrillic", "Greek", "Armenian", "Georgian", "Bengali", "Tamil")


class Lettering:
    """Text in one size."""

    def __init__(self, size: int) -> None:
        self.size = size

    def length(self, text: str) -> float:
        """How wide the text is, in pixels."""
        return sum(
            self.size * 1.15 if kind == _EMOJI else _font(kind, self.size).getlength(run) for kind, run in _runs(text)
        )

    def draw(self, picture: Image.Image, x: float, baseline: float, text: str, fill: Colour) -> None:
        """Draws the text, which begins at x."""
        draw = ImageDraw.Draw(picture)
        for kind, run in _runs(text):
            if kind == _EMOJI:
                _draw_emoji(picture, run, x + self.size * 0.07, baseline - self.size * 0.86, self.size)
                x += self.size * 1.15
            else:
                font = _font(kind, self.size)
                draw.text((x, baseline), run, font=font, fill=fill, anchor="ls")
                x += font.getlength(run)


def showable(text: str) -> str:
    """The text with what no font here can draw replaced: accents dropped, other scripts by their names in brackets."""
    parts = []
    for missing, group in groupby(text, lambda char: _kind(char) == _MISSING or (not char.isprintable())):
        run = "".join(group)
        parts.append(_named(run) if missing else run)
    return " ".join("".join(parts).split()) or "…"


def missing_scripts(text: str) -> list[str]:
    """The names of the scripts in the text that no font here can draw."""
    return _script_names(char for char in text if _kind(char) == _MISSING)


def _script_names(text: Iterable[str]) -> list[str]:
    names = {name for char in text if (name := _script(char))}
    return sorted(names - {"Chinese or Japanese"} if "Japanese" in names else names)


def _named(run: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", run) if " " <= c <= "~")
    if plain:
        return plain
    names = _script_names(run)
    if names:
        return f" [{', '.join(names)}] "
    return "".join(f"[{unicodedata.name(c, 'sign').lower()}]" for c in run if unicodedata.category(c) == "So")


def _script(char: str) -> str:
    first = unicodedata.name(char, "").split(" ")[0]
    return _NAMES.get(first) or (first.title() if first.title() in _SCRIPTS else "")


@lru_cache(maxsize=4096)
def _kind(char: str) -> str:
    """Which font draws a character: a file's path, or one of the kinds above."""
    if " " <= char <= "~" or char in _SIGNS:
        return _BUILT_IN
    if char in emoji():
        return _EMOJI
    if unicodedata.category(char) in ("Mn", "Cf", "Cc") and not _script(char):
        return _BUILT_IN if char == " " else _MISSING
    path = _path(_FILES.get(_script(char), _ANY))
    return path if path and (_script(char) or _has(path, char)) else _MISSING


@cache
def _path(file: str) -> str:
    package, _, name = file.partition("/")
    spec = find_spec(package)
    path = Path(spec.origin).parent / name if spec is not None and spec.origin is not None else None
    return str(path) if path is not None and path.is_file() else ""


@lru_cache(maxsize=1024)
def _has(path: str, char: str) -> bool:
    font = ImageFont.truetype(path, 24)
    return bytes(font.getmask(char)) != bytes(font.getmask("\U000fffff"))


def _runs(text: str) -> Iterator[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for char in text:
        kind = _kind(char)
        if kind == _MISSING:
            continue
        # A space inside of a script is part of its run: Arabic reads from the right, over all its words.
        if found and found[-1][0] != _EMOJI and (found[-1][0] == kind or (char == " " and kind == _BUILT_IN)):
            found[-1] = found[-1][0], found[-1][1] + char
        else:
            found.append((kind, char))
    return iter(found)


@lru_cache(maxsize=64)
def _font(kind: str, size: int) -> Font:
    return ImageFont.load_default(size=size) if kind == _BUILT_IN else ImageFont.truetype(kind, size)


def _draw_emoji(picture: Image.Image, char: str, x: float, y: float, size: int) -> None:
    subject = emoji()[char]
    pen = Pen(colour_of(subject.colours[0]))
    subject.draw(pen)
    scale = size * 4 / 100
    mask = Image.new("L", (size * 4, size * 4))
    colours = Image.new("RGB", mask.size, pen.main)
    painted, covered = ImageDraw.Draw(colours), ImageDraw.Draw(mask)
    for shape in pen.shapes:
        outline = [(a * scale, b * scale) for a, b in shape.outline]
        painted.polygon(outline, fill=shape.fill)
        covered.polygon(outline, fill=255)
    picture.paste(colours.reduce(4), (round(x), round(y)), mask.reduce(4))
