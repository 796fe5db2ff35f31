"""Media type and size of an image, read from the first bytes of its file, and whether its end is there."""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/svg+xml": "svg",
    "image/avif": "avif",
}
"""File extension for each media type we know."""
_OTHERS = (
    ("BMP", "bmp", b"BM"),
    ("TIFF", "tiff", b"II*\0"),
    ("TIFF", "tiff", b"MM\0*"),
    ("JPEG XL", "jxl", b"\xff\x0a"),
    ("JPEG XL", "jxl", b"\0\0\0\x0cJXL "),
    ("JPEG 2000", "jp2", b"\0\0\0\x0cjP  "),
    ("PDF", "pdf", b"%PDF-"),
    ("Photoshop", "psd", b"8BPS"),
)
_LONGEST_BRANDS = 64
_END_SIZE = 4096
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"

_XML_START = (b"<svg", b"<?xml", b"<!--", b"<!doctype svg")
_LENGTH = re.compile(r"\s*+(?=[0-9.])([0-9]{0,9}+(?:\.[0-9]{1,20}+)?)(?:px)?\s*+")
_ATTRIBUTE = re.compile(r"(?<![\w:-])([\w:-]++)\s*+=\s*+(['\"])(.*?)\2", re.DOTALL)
_MOST_SEGMENTS = 20_000
_JPEG_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_JPEG_NOT_A_FRAME = frozenset((0xC4, 0xC8, 0xCC))


class ImageSize(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


def media_type(head: bytes) -> str | None:
    """The media type that the first bytes of a file show, or None when it is no image we know.

    Source: W3C PNG (third edition) 5.2, ITU-T T.81 B.1.1.3, RFC 9649 (WebP) 2.4, GIF89a 17, SVG 2, AVIF 1.1 (brands).
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[4:8] == b"ftyp" and re.search(b"avi[fs]", head[8 : min(int.from_bytes(head[:4], "big"), _LONGEST_BRANDS)]):
        return "image/avif"
    text = head[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_XML_START) and b"<svg" in head.lower():
        return "image/svg+xml"
    return None


def other_type(head: bytes) -> tuple[str, str] | None:
    """Name and extension of a format that is known, but not as that of pictures we store; else None."""
    if head[4:8] == b"ftyp":
        return "HEIF or MP4", "heif"
    return next(((name, extension) for name, extension, magic in _OTHERS if head.startswith(magic)), None)


def image_size(mime: str, head: bytes) -> ImageSize | None:
    """The size that the header of a file gives, or None when the bytes end before it or it gives none."""
    size = _READERS[mime](head)
    return size if size is not None and size.width > 0 and size.height > 0 else None


def is_cut(mime: str, file: BinaryIO) -> bool:
    """Whether the end of a PNG, JPEG or WebP file is missing; only a little in front of its end is looked at.

    What stands behind the end is no fault. Neither mark occurs within the compressed pixels of a JPEG, or by chance in
    those of a PNG.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_SIZE))
    tail = file.read(_END_SIZE)
    if mime == "image/webp":
        file.seek(4)
        return 8 + int.from_bytes(file.read(4), "little") > size
    return (mime == "image/png" and _PNG_END not in tail) or (mime == "image/jpeg" and _JPEG_END not in tail)


def _png(head: bytes) -> ImageSize | None:
    if len(head) < 24 or head[12:16] != b"IHDR":
        return None
    return ImageSize(int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"))


def _gif(head: bytes) -> ImageSize | None:
    if len(head) < 10:
        return None
    return ImageSize(int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"))


def _webp(head: bytes) -> ImageSize | None:
    if len(head) < 30:
        return None
    chunk = head[12:16]
    if chunk == b"VP8X":
        return ImageSize(1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little"))
    if chunk == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return ImageSize(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if chunk == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
        return ImageSize(width & 0x3FFF, height & 0x3FFF)
    return None


def _jpeg(head: bytes) -> ImageSize | None:
    """Walks the segments to the first frame header; those before it can be long (colour profiles, previews)."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + 4 > len(head) or head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in _JPEG_NOT_A_FRAME:
            if at + 9 > len(head):
                return None
            return ImageSize(int.from_bytes(head[at + 7 : at + 9], "big"), int.from_bytes(head[at + 5 : at + 7], "big"))
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def _svg(head: bytes) -> ImageSize | None:
    """`width` and `height` in pixels, else the extent of the view box."""
    tag = re.search(r"<svg\b([^>]*)", head.decode("utf-8", "replace"), re.IGNORECASE)
    if tag is None:
        return None
    attributes = {name: value for name, _, value in _ATTRIBUTE.findall(tag[1])}
    lengths = [_LENGTH.fullmatch(attributes.get(name, "")) for name in ("width", "height")]
    if lengths[0] and lengths[1]:
        return ImageSize(round(float(lengths[0][1])), round(float(lengths[1][1])))
    box = re.split(r"[\s,]+", attributes.get("viewBox", "").strip())
    if len(box) == 4 and all(_LENGTH.fullmatch(part) for part in box[2:]):
        return ImageSize(round(float(box[2])), round(float(box[3])))
    return None


def _avif(head: bytes) -> ImageSize | None:
    """The first extent among the properties of the items: the box `ispe`."""
    at = head.find(b"ispe")
    if at < 0 or at + 16 > len(head):
        return None
    return ImageSize(int.from_bytes(head[at + 8 : at + 12], "big"), int.from_bytes(head[at + 12 : at + 16], "big"))


_READERS = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": _gif,
    "image/svg+xml": _svg,
    "image/avif": _avif,
}
