"""Draws an edit onto its picture, so that everybody sees both: what was there, and that it was edited."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageOps

from flowdsl_steps.image.simulator.caption import Caption
from flowdsl_steps.image.simulator.raster import paint, write_caption
from flowdsl_steps.image.simulator.validation import AcceptedRequest, Input
from flowdsl_steps.image.simulator.view import View, view_of

_PRINT = 0.44
"""How much of the shorter edge the print takes that an edit without a mask lays onto its picture."""
_THUMB = 0.16
_WHITE = (250, 248, 244)


def paint_edit(request: AcceptedRequest, prompt: str, digest: str, caption: Caption, phase: float) -> Image.Image:
    """The first picture with the one of the prompt in it: where the mask is transparent, or without a mask as a print
    laid onto it; further pictures stand in a row at the top."""
    size = request.width, request.height
    picture = ImageOps.fit(_opened(request.inputs[0]), size)
    view = view_of(prompt, digest, *size, phase)
    if request.mask is not None:
        hole = ImageOps.fit(_alpha(request.mask), size).point(lambda value: 255 if value == 0 else 0)
        picture.paste(paint(view), (0, 0), hole)
        _outline(picture, hole, view)
    else:
        _lay_print(picture, prompt, digest, phase)
    for place, each in enumerate(request.inputs[1:]):
        _lay_thumbnail(picture, each, place)
    write_caption(picture, view, caption, solid=True)  # the picture may have a caption of its own
    return picture


def _opened(given: Input) -> Image.Image:
    with Image.open(BytesIO(given.content)) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    ground = Image.new("RGBA", upright.size, _WHITE)
    ground.alpha_composite(upright)
    return ground.convert("RGB")


def _alpha(given: Input) -> Image.Image:
    with Image.open(BytesIO(given.content)) as picture:
        return picture.convert("RGBA").getchannel("A")


def _outline(picture: Image.Image, hole: Image.Image, view: View) -> None:
    """A line around what was edited, in the colour of the caption's bar."""
    inside = hole.resize((max(1, hole.width - 6), max(1, hole.height - 6)))
    shrunk = Image.new("L", hole.size)
    shrunk.paste(inside, (3, 3))
    picture.paste(view.accent, (0, 0), ImageChops.subtract(hole, shrunk))


def _lay_print(picture: Image.Image, prompt: str, digest: str, phase: float) -> None:
    side = round(min(picture.size) * _PRINT)
    border = max(2, side // 24)
    sheet = Image.new("RGBA", (side, side), (*_WHITE, 255))
    sheet.paste(paint(view_of(prompt, digest, side - 2 * border, side - 2 * border, phase)), (border, border))
    turned = sheet.rotate(-5, Image.Resampling.BICUBIC, expand=True)
    margin = min(picture.size) // 24
    picture.paste(turned, (picture.width - turned.width - margin, margin), turned)


def _lay_thumbnail(picture: Image.Image, given: Input, place: int) -> None:
    side = round(min(picture.size) * _THUMB)
    gap = max(2, side // 12)
    across = max(1, (picture.width - gap) // (side + gap))
    x, y = gap + (place % across) * (side + gap), gap + (place // across) * (side + gap)
    picture.paste(ImageOps.fit(_opened(given), (side, side)), (x, y))
    ImageDraw.Draw(picture).rectangle((x, y, x + side - 1, y + side - 1), outline=_WHITE, width=max(1, side // 40))
