"""A mask for vendors that edit what is white: a step's own is a PNG that is edited where it is transparent.

Only the alpha channel is read, and nothing but the standard library is needed for it: in a PNG each channel of a row is
filtered by itself. Source: PNG specification, 9, Filtering, and 11.2, IHDR.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from flowdsl.errors import ConfigError
from flowdsl.step.problem import Problem

if TYPE_CHECKING:
    from flowdsl.image.image import Image

MOST_PIXELS = 9_437_184
"""Source: Stability AI, Inpaint: images have at most so many pixels."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {4: 2, 6: 4}
"""Colour types with an alpha channel, the last of as many channels."""
_HEAD = struct.Struct(">IIBBBBB")
_HEAD_ENDS = len(_SIGNATURE) + 8 + _HEAD.size
_WHITE = bytes([255, *bytes(255)])
"""What is fully transparent becomes white, all else black."""
_HINT = "save it as a PNG with 8 bits a channel and transparency, not interlaced"


def mask_problem(mask: Image) -> Problem | None:
    """Why a mask cannot be turned into white and black, as far as its first bytes say it."""
    from flowdsl_steps.image.input_pictures import head_of_image

    head = head_of_image(mask)
    said = _fault(head) if len(head) >= _HEAD_ENDS else None
    return None if said is None else Problem("unsupported-value", f"the mask {said}", "mask", _HINT)


def white_mask(mask: Image) -> bytes:
    """The mask as a PNG that is white where it is transparent, and black elsewhere.

    Raises:
        ConfigError: it is no PNG that can be read.
        StepError: its file is gone.
    """
    content = mask.read()
    said = _fault(content[:_HEAD_ENDS])
    if said is None:
        width, height, _, colour, *_ = _HEAD.unpack(content[len(_SIGNATURE) + 8 : _HEAD_ENDS])
        try:
            rows = _alpha(content, width, height, _CHANNELS[colour])
            return _grey(b"".join(b"\0" + row.translate(_WHITE) for row in rows), width, height)
        except (struct.error, ValueError, zlib.error):
            said = "cannot be read: it is damaged"
    raise ConfigError(f"the mask {said}", code="unsupported-value", hint=_HINT)


def _fault(head: bytes) -> str | None:
    if not head.startswith(_SIGNATURE) or len(head) < _HEAD_ENDS:
        return "is no PNG"
    width, height, depth, colour, _, _, interlaced = _HEAD.unpack(head[len(_SIGNATURE) + 8 : _HEAD_ENDS])
    if colour not in _CHANNELS:
        return "has no transparency, so that it marks nothing"
    if depth != 8:
        return f"has {depth} bits a channel"
    if interlaced:
        return "is interlaced"
    return f"has more than {MOST_PIXELS:,} pixels" if width * height > MOST_PIXELS else None


def _alpha(content: bytes, width: int, height: int, channels: int) -> Iterator[bytes]:
    """The alpha channel, row by row."""
    long = 1 + width * channels
    unpacking = zlib.decompressobj()
    pixels = unpacking.decompress(b"".join(_packed(content)), long * height)
    if len(pixels) != long * height:
        raise ValueError("pixels are missing")
    above = bytes(width)
    for start in range(0, long * height, long):
        above = _unfiltered(pixels[start], pixels[start + channels : start + long : channels], above)
        yield above


def _packed(content: bytes) -> Iterator[bytes]:
    """What stands in the chunks of pixels."""
    at = len(_SIGNATURE)
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind == b"IDAT":
            yield content[at + 8 : at + 8 + length]
        at += 12 + length


def _unfiltered(kind: int, row: bytes, above: bytes) -> bytes:
    if kind == 0:
        return row
    if kind == 1:
        return bytes(total & 255 for total in accumulate(row))
    if kind == 2:
        return bytes((value + up) & 255 for value, up in zip(row, above, strict=True))
    found, left, corner = bytearray(), 0, 0
    if kind == 3:
        for value, up in zip(row, above, strict=True):
            left = (value + (left + up) // 2) & 255
            found.append(left)
        return bytes(found)
    if kind != 4:
        raise ValueError(f"there is no filter {kind}")
    for value, up in zip(row, above, strict=True):
        to_left, to_up = abs(up - corner), abs(left - corner)  # from what the three foretell
        to_corner = abs(left + up - 2 * corner)
        near = left if to_left <= to_up and to_left <= to_corner else up if to_up <= to_corner else corner
        left, corner = (value + near) & 255, up
        found.append(left)
    return bytes(found)


def _grey(rows: bytes, width: int, height: int) -> bytes:
    head = _HEAD.pack(width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
