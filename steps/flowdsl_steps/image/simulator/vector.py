"""Writes a view as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from flowdsl_steps.image.simulator.caption import Caption, wrap
from flowdsl_steps.image.simulator.palettes import Colour, mix
from flowdsl_steps.image.simulator.pen import Point
from flowdsl_steps.image.simulator.scene import Layer, Scene
from flowdsl_steps.image.simulator.view import View

if TYPE_CHECKING:
    from PIL.Image import Image


def write_svg(view: View, caption: Caption) -> bytes:
    """The picture as a UTF-8 SVG document."""
    width, height = view.width, view.height
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}">',
            f"<title>{escape(caption.title)}</title>",
            *(_shapes(view) if view.landscape is None else _landscape(view.landscape)),
            *_caption(view, caption),
            "</svg>\n",
        ]
    ).encode("utf-8", "replace")


def around(picture: Image, caption: Caption) -> bytes:
    """An SVG document that holds a painted picture."""
    from base64 import b64encode

    from flowdsl_steps.image.simulator.encode import encode

    width, height = picture.size
    content = b64encode(encode(picture, "jpeg", 90)).decode("ascii")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"<title>{escape(caption.title)}</title>\n"
        f'<image width="{width}" height="{height}" href="data:image/jpeg;base64,{content}"/>\n</svg>\n'
    ).encode("utf-8", "replace")


def _gradient(stops: tuple[Colour, ...]) -> str:
    last = len(stops) - 1
    parts = "".join(f'<stop offset="{i / last:.3f}" stop-color="{_hex(colour)}"/>' for i, colour in enumerate(stops))
    return f'<linearGradient id="sky" x2="0" y2="1">{parts}</linearGradient>'


def _shapes(view: View) -> list[str]:
    return [
        f"<defs>{_gradient(view.sky)}</defs>",
        f'<rect width="{view.width}" height="{view.height}" fill="url(#sky)"/>',
        *(f'<path fill="{_hex(shape.fill)}" d="{_path(shape.outline)}"/>' for shape in view.shapes),
    ]


def _path(outline: tuple[Point, ...]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in outline) + "Z"


def _landscape(scene: Scene) -> list[str]:
    width, height, horizon = scene.width, scene.height, scene.horizon
    water = mix(scene.palette.sky[2], scene.palette.ink, 0.6)
    return [
        f"<defs>{_gradient(scene.palette.sky)}"
        f'<clipPath id="water"><rect y="{horizon}" width="{width}" height="{height - horizon}"/></clipPath></defs>',
        '<g id="above">',
        f'<rect width="{width}" height="{horizon}" fill="url(#sky)"/>',
        *_stars(scene),
        *_sun(scene),
        *(part for layer in scene.layers for part in _layer(layer, scene)),
        "</g>",
        f'<rect y="{horizon}" width="{width}" height="{height - horizon}" fill="{_hex(water)}"/>',
        f'<g clip-path="url(#water)" opacity="0.4"><use href="#above" '
        f'transform="matrix(1 0 0 -1 0 {2 * horizon})"/></g>',
    ]


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _stars(scene: Scene) -> list[str]:
    return [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{light * 1.1:.2f}" fill="#fff" opacity="{light:.2f}"/>'
        for x, y, light in scene.stars
    ]


def _sun(scene: Scene) -> list[str]:
    x, y, radius = scene.sun
    fill = _hex(scene.palette.sun)
    return [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius * reach:.1f}" fill="{fill}" opacity="{opacity}"/>'
        for reach, opacity in ((2.6, 0.12), (1.7, 0.2), (1.0, 1))
    ]


def _layer(layer: Layer, scene: Scene) -> list[str]:
    outlines = "".join(map(_path, layer.outlines))
    parts = [f'<path fill="{_hex(mix(layer.top, layer.foot, 0.25))}" d="{outlines}"/>']
    if layer.windows:
        lit = "".join(f"M{a:.1f} {b:.1f}H{c:.1f}V{d:.1f}H{a:.1f}Z" for a, b, c, d in layer.windows)
        parts.append(f'<path fill="{_hex(scene.palette.lamp)}" opacity="0.75" d="{lit}"/>')
    return parts


def _caption(view: View, caption: Caption) -> list[str]:
    short = min(view.width, view.height)
    size, margin = short * 0.034, short * 0.07
    lines = wrap(caption.title, lambda text: _length(text) * size, view.width - 2 * margin, limit=3)
    foot = view.height - short * 0.052
    first = foot - short * 0.05 - short * 0.046 * (len(lines) - 1)
    rows = [
        f'<text x="{margin:.1f}" y="{first + row * short * 0.046:.1f}" fill="#fff" font-size="{size:.1f}" '
        f'font-family="sans-serif">{escape(line)}</text>'
        for row, line in enumerate(lines)
    ]
    top = first - short * 0.06
    return [
        f'<rect y="{top:.1f}" width="{view.width}" height="{view.height - top:.1f}" fill="{_hex(view.ink)}" '
        f'opacity="0.5"/>',
        *rows,
        f'<text x="{margin:.1f}" y="{foot:.1f}" fill="#fff" opacity="0.72" font-size="{short * 0.021:.1f}" '
        f'font-family="sans-serif">{escape(caption.note)}</text>',
    ]


def _length(text: str) -> float:
    return sum(1.0 if ord(char) > 0x2E80 else 0.52 for char in text)
