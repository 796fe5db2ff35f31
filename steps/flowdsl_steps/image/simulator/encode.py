"""Files of pictures, and files padded to an exact size."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image

_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


def encode(picture: Image.Image, output_format: str, compression: int) -> bytes:
    """The file of a still picture. `compression` is the vendor's 0-100, used as the encoder's quality."""
    file = io.BytesIO()
    if output_format == "png":
        picture.save(file, "PNG", compress_level=1)
    elif output_format == "jpeg":
        picture.save(file, "JPEG", quality=max(1, min(compression, 95)))
    else:
        picture.save(file, "WEBP", quality=compression, method=0)
    return file.getvalue()


def encode_gif(frames: Sequence[Image.Image], frame_duration_ms: int) -> bytes:
    """The file of an endless animation; delays are rounded to 10 ms and end at 655,350 ms.

    Source: openai-python, `frame_duration_ms`.
    """
    delay = min(max(round(frame_duration_ms / 10), 1) * 10, 655_350)
    palette = frames[0].quantize(255, Image.Quantize.MEDIANCUT)
    reduced = [frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
    file = io.BytesIO()
    reduced[0].save(file, "GIF", save_all=True, append_images=reduced[1:], duration=delay, loop=0, optimize=False)
    return file.getvalue()


def pad(content: bytes, output_format: str, size: int) -> bytes:
    """The file grown to exactly `size` bytes by a legal part that viewers skip.

    A file that is already within a few bytes of `size`, or larger, stays as it is. A WebP file has an even size, so an
    odd `size` becomes one byte more.
    """
    missing = size - len(content)
    if output_format == "png":
        return _pad_png(content, missing)
    if output_format == "jpeg":
        return _pad_jpeg(content, missing)
    if output_format == "webp":
        return _pad_webp(content, missing)
    if output_format == "gif":
        return _pad_gif(content, missing)
    filler = missing - len("<!---->\n")
    return content if filler < 0 else content + b"<!--" + b"." * filler + b"-->\n"


def _pad_png(content: bytes, missing: int) -> bytes:
    keyword = b"Comment\0"
    room = missing - 12 - len(keyword)
    if room < 0:
        return content
    body = b"tEXt" + keyword + b"." * room
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content.removesuffix(_PNG_END) + chunk + _PNG_END


def _pad_jpeg(content: bytes, missing: int) -> bytes:
    segments = b""
    while missing >= 4:
        take = min(missing, 65_537)
        if 0 < missing - take < 4:
            take -= 4
        segments += b"\xff\xfe" + struct.pack(">H", take - 2) + b"." * (take - 4)
        missing -= take
    return content[:2] + segments + content[2:]


def _pad_webp(content: bytes, missing: int) -> bytes:
    room = missing + missing % 2 - 8
    if room < 0:
        return content
    riff = content[12:]
    if riff[:4] != b"VP8X":
        with Image.open(io.BytesIO(content)) as picture:
            edges = struct.pack("<I", picture.width - 1)[:3] + struct.pack("<I", picture.height - 1)[:3]
        riff = b"VP8X" + struct.pack("<I", 10) + b"\x00\x00\x00\x00" + edges + riff
        room -= 18
        if room < 0:
            return content
    riff += b"PADD" + struct.pack("<I", room) + b"." * room
    return b"RIFF" + struct.pack("<I", len(riff) + 4) + b"WEBP" + riff


def _pad_gif(content: bytes, missing: int) -> bytes:
    room = missing - 3
    if room < 2:
        return content
    blocks = b""
    while room:
        take = min(room, 256)
        if room - take == 1:
            take -= 1
        blocks += bytes([take - 1]) + b"." * (take - 1)
        room -= take
    return content[:-1] + b"\x21\xfe" + blocks + b"\x00" + content[-1:]
