"""Paints a view with Pillow, caption included."""

from __future__ import annotations

import math
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

from flowdsl_steps.image.simulator.caption import Caption, wrap
from flowdsl_steps.image.simulator.lettering import INSTALL, Lettering, missing_scripts, showable
from flowdsl_steps.image.simulator.palettes import Colour, mix
from flowdsl_steps.image.simulator.scene import Layer, Scene
from flowdsl_steps.image.simulator.view import View

_FINE = 2
"""Outlines are filled this much larger, and the picture is made smaller again: their edges are smooth then."""


def paint(view: View, caption: Caption | None = None, *, transparent: bool = False) -> Image.Image:
    """The picture as RGB, or as RGBA with rounded corners on nothing when `transparent`."""
    picture = _paint_shapes(view) if view.landscape is None else _paint_landscape(view.landscape)
    if caption is not None:
        write_caption(picture, view, caption, 0.11 if transparent else 0.055)
    if transparent:
        picture.putalpha(rounded(view.width, view.height))
    return picture


def _paint_shapes(view: View) -> Image.Image:
    picture = _gradient(view.sky, view.width * _FINE, view.height * _FINE, view.height * _FINE)
    draw = ImageDraw.Draw(picture)
    for shape in view.shapes:
        draw.polygon([(x * _FINE, y * _FINE) for x, y in shape.outline], fill=shape.fill)
    return picture.reduce(_FINE)


def _paint_landscape(scene: Scene) -> Image.Image:
    picture = _gradient(scene.palette.sky, scene.width, scene.height, scene.horizon)
    _paint_stars(picture, scene)
    _paint_sun(picture, scene)
    for layer in scene.layers:
        _paint_layer(picture, layer, scene)
    _paint_water(picture, scene)
    return picture


def blurred(picture: Image.Image, sharpness: float) -> Image.Image:
    """A coarser version of the picture, as a partial image shows it; `sharpness` is between 0 and 1."""
    across = max(6, round(6 + 90 * sharpness**2))
    small = picture.resize((across, max(6, across * picture.height // picture.width)), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def _gradient(stops: tuple[Colour, ...], width: int, height: int, reach: int) -> Image.Image:
    column = Image.new("RGB", (1, 256))
    for y in range(256):
        place = y / 255 * (len(stops) - 1)
        index = min(int(place), len(stops) - 2)
        column.putpixel((0, y), mix(stops[index], stops[index + 1], place - index))
    canvas = Image.new("RGB", (width, height), stops[-1])
    canvas.paste(column.resize((width, reach), Image.Resampling.BILINEAR))
    return canvas


def _paint_stars(picture: Image.Image, scene: Scene) -> None:
    draw = ImageDraw.Draw(picture)
    grain = max(1.0, min(scene.width, scene.height) / 640)
    for index, (x, y, light) in enumerate(scene.stars):
        twinkle = light * (0.8 + 0.2 * math.sin(math.tau * (scene.phase + index / 7)))
        sky = scene.palette.sky[0 if y < scene.horizon / 3 else 1]
        radius = grain * light * 0.7
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=mix(sky, (255, 255, 255), twinkle))


@lru_cache(maxsize=8)
def _glow(side: int) -> Image.Image:
    return ImageChops.invert(Image.radial_gradient("L")).resize((side, side), Image.Resampling.BILINEAR)


def _paint_sun(picture: Image.Image, scene: Scene) -> None:
    x, y, radius = scene.sun
    for reach, strength in ((6.5, 0.5), (2.6, 0.6)):
        side = round(2 * radius * reach)
        # Pillow's gradient ends in the corners of its square: what lies beyond the inscribed circle is cut off.
        mask = _glow(side).point([max(0, v - 75) ** 2 / 130 * strength for v in range(256)])
        picture.paste(
            mix(scene.palette.sun, scene.palette.sky[3], 0.45), (round(x - side / 2), round(y - side / 2)), mask
        )
    side = round(radius * 2)
    disc = Image.new("L", (side * 4, side * 4))
    ImageDraw.Draw(disc).ellipse((0, 0, side * 4 - 1, side * 4 - 1), fill=255)
    picture.paste(scene.palette.sun, (round(x - radius), round(y - radius)), disc.reduce(4))


def _paint_layer(picture: Image.Image, layer: Layer, scene: Scene) -> None:
    peak = max(0, int(min(y for outline in layer.outlines for _, y in outline)) - 1)
    tall = max(1, scene.horizon - peak)
    mask = Image.new("L", (scene.width * 2, tall * 2))
    draw = ImageDraw.Draw(mask)
    for outline in layer.outlines:
        draw.polygon([(x * 2, (y - peak) * 2) for x, y in outline], fill=255)
    tone = _gradient((layer.top, layer.top, layer.foot), scene.width, tall, tall)
    picture.paste(tone, (0, peak), mask.reduce(2))
    lights = ImageDraw.Draw(picture)
    for index, box in enumerate(layer.windows):
        dim = 0.45 + 0.4 * ((index * 7919) % 11) / 10 + 0.15 * math.sin(math.tau * (scene.phase + index / 5))
        lights.rectangle(box, fill=mix(layer.top, scene.palette.lamp, dim))


def _paint_water(picture: Image.Image, scene: Scene) -> None:
    width, horizon, deep = scene.width, scene.horizon, scene.height - scene.horizon
    seen = min(horizon, round(deep * 1.7))
    mirror = picture.crop((0, horizon - seen, width, horizon)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror = mirror.resize((max(1, width // 3), deep), Image.Resampling.BILINEAR).resize(
        (width, deep), Image.Resampling.BILINEAR
    )
    tint = _gradient((mix(scene.palette.sky[2], scene.palette.ink, 0.35), scene.palette.ink), width, deep, deep)
    mirror = Image.blend(mirror, tint, 0.42)
    for y in range(deep):
        near = y / deep
        shift = round(
            width * (0.002 + 0.012 * near) * math.sin(math.tau * (scene.phase + 14 * near**0.6) + 3 * math.sin(y * 0.6))
        )
        picture.paste(mirror.crop((0, y, width, y + 1)), (0, horizon + y))
        picture.paste(mirror.crop((max(0, -shift), y, width - max(0, shift), y + 1)), (max(0, shift), horizon + y))


def write_caption(
    picture: Image.Image, view: View, caption: Caption, inset: float = 0.055, *, solid: bool = False
) -> None:
    """Writes the caption at the foot of the picture, in the colours of a view; `solid` hides what is behind it."""
    short = min(view.width, view.height)
    large, small = Lettering(max(10, round(short * 0.034))), Lettering(max(8, round(short * 0.021)))
    margin = round(short * inset)
    lines = wrap(showable(caption.title), large.length, view.width - 2 * margin - 6, limit=3)
    notes = [caption.note]
    if scripts := missing_scripts(caption.title):
        notes.insert(0, f"{', '.join(scripts)}: drawn after {INSTALL}")
    leading, foot, line = round(short * 0.046), view.height - round(margin * 0.95), round(short * 0.028)
    top = foot - round(short * 0.042) - leading * len(lines) - line * (len(notes) - 1)
    strength = 0.85 if view.landscape is None else 0.62
    shade = Image.linear_gradient("L").resize((view.width, view.height - top + leading)).point(lambda v: v * strength)
    picture.paste(view.ink, (0, top - leading), shade)
    if solid:
        ImageDraw.Draw(picture).rectangle((0, top - leading // 2, view.width, view.height), fill=view.ink)
    bar = max(2, short // 220)
    ImageDraw.Draw(picture).rectangle((margin, top, margin + bar - 1, foot), fill=view.accent)
    left = margin + bar + round(short * 0.016)
    for row, text in enumerate(lines):
        large.draw(picture, left, top + row * leading + round(short * 0.03), text, (255, 255, 255))
    faint = mix(view.ink, (255, 255, 255), 0.72)
    for row, note in enumerate(reversed(notes)):
        (text,) = wrap(note, small.length, view.width - left - margin, limit=1)
        small.draw(picture, left, foot - row * line, text, faint)


@lru_cache(maxsize=4)
def rounded(width: int, height: int) -> Image.Image:
    """The alpha channel of a picture with rounded corners on nothing."""
    inset, radius = min(width, height) * 0.045, min(width, height) * 0.13
    mask = Image.new("L", (width * 2, height * 2))
    box = (inset * 2, inset * 2, (width - inset) * 2 - 1, (height - inset) * 2 - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius * 2, fill=255)
    return mask.reduce(2)
