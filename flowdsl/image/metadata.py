"""Metadata of a picture's file: an XMP packet, put between the parts of a PNG, JPEG or WebP file.

What comes in is the file as the vendor sent it, what goes out are its parts with a chunk or a segment between them: the
pixels are not touched. Source: XMP part 1 (ISO 16684-1) and part 3, IPTC Photo Metadata 2025.1, RFC 9649 (WebP).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import BinaryIO

from flowdsl.image.formats import image_size, is_cut

Piece = bytes | tuple[int, int]
"""A part of a file: new bytes, or from where up to where those of the original go on."""

_NAMESPACES = {
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "flowdsl": "urn:flowdsl:xmp#",
}
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_END = '<?xpacket end="r"?>'
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CUT_ENTITY = re.compile("&[^;]*$")
_LONGEST_VALUE = 40_000
"""The most bytes of one value."""
_MOST_VALUES = 60_000
"""The most bytes of all values, as they are written: a segment of a JPEG holds 65,533, the rest of the packet too."""

_PNG_XMP = b"XML:com.adobe.xmp\0"
_PNG_AFTER_HEADER = 33
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_WEBP_XMP_FLAG, _WEBP_ALPHA_FLAG = 0x04, 0x10
_MOST_PARTS = 20_000


def packet(facts: Mapping[str, str | None], *, edited: bool = False) -> bytes:
    """The XMP packet of a picture that a model made: `facts` are names with their prefix, and values.

    It bears IPTC's mark for pictures that are generated, or made of others when they were `edited`.
    """
    kind = "compositeWithTrainedAlgorithmicMedia" if edited else "trainedAlgorithmicMedia"
    values = {"xmp:CreatorTool": "flowdsl", "Iptc4xmpExt:DigitalSourceType": _SOURCE_TYPES + kind, **facts}
    named = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    lines, room = "", _MOST_VALUES
    for name, value in values.items():
        if value and (text := _text(value, min(room, _LONGEST_VALUE))):
            lines += f"<{name}>{text}</{name}>\n"
            room -= len(text.encode())
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    described = f'<rdf:Description rdf:about=""{named}>\n{lines}</rdf:Description>'
    tree = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{rdf}">\n{described}\n</rdf:RDF></x:xmpmeta>'
    return f"{_BEGIN}\n{tree}\n{_END}".encode()


def _text(value: str, most: int) -> str:
    """A value as the text of an element: nothing that XML cannot hold, and `most` bytes of it as they are written."""
    plain = _NOT_XML.sub("\ufffd", value[:most])
    written = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").encode()
    cut = written[:most].decode("utf-8", "ignore")
    return cut if len(written) <= most else _CUT_ENTITY.sub("", cut)


def with_packet(mime: str, file: BinaryIO, xmp: bytes) -> list[Piece] | None:
    """The parts of a file with an XMP packet among them.

    None for a file that is left alone: of another format, signed by C2PA, which a change would break, with XMP of the
    vendor's own, or without its end.
    """
    insert = _FORMATS.get(mime)
    return None if insert is None or is_cut(mime, file) else insert(file, xmp)


def without_packet(mime: str, content: bytes) -> list[bytes]:
    """What the bytes of a file may have been before a packet was put into it: none where there is no packet, and two
    for a WebP whose header may be of its own or have come with the packet."""
    taken_out = {"image/png": _png_without, "image/jpeg": _jpeg_without, "image/webp": _webp_without}.get(mime)
    return [] if taken_out is None else list(taken_out(content))


def _png_without(content: bytes) -> Iterator[bytes]:
    for kind, at, length in _png_chunks(BytesIO(content)):
        if kind == b"iTXt" and content.startswith(_PNG_XMP, at):
            yield content[: at - 8] + content[at + length + 4 :]
            return


def _jpeg_without(content: bytes) -> Iterator[bytes]:
    for marker, at, length in _jpeg_segments(BytesIO(content)):
        if marker == 0xE1 and content.startswith(_JPEG_XMP, at):
            yield content[: at - 4] + content[at + length :]
            return


def _webp_without(content: bytes) -> Iterator[bytes]:
    at = content.rfind(b"XMP ", 0, len(content) - 8)
    if at < 0 or content[12:16] != b"VP8X":
        return
    if at + 8 + (length := int.from_bytes(content[at + 4 : at + 8], "little")) + length % 2 != len(content):
        return
    plain, extended = content[30:at], content[12:20] + bytes([content[20] & ~_WEBP_XMP_FLAG]) + content[21:at]
    for rest in (plain, extended):
        yield b"RIFF" + struct.pack("<I", 4 + len(rest)) + b"WEBP" + rest


def _png(file: BinaryIO, xmp: bytes) -> list[Piece] | None:
    for kind, at, length in _png_chunks(file):
        if kind == b"caBX":
            return None
        if kind == b"iTXt" and length >= len(_PNG_XMP):
            file.seek(at)
            if file.read(len(_PNG_XMP)) == _PNG_XMP:
                return None
    body = b"iTXt" + _PNG_XMP + b"\0\0\0\0" + xmp  # not compressed, no language, no translated keyword
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return [(0, _PNG_AFTER_HEADER), chunk, (_PNG_AFTER_HEADER, _size(file))]


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Type, place of the content, and length of each chunk, as far as they make sense."""
    at, size = 8, _size(file)
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        if at + 12 + length > size:
            return
        yield kind, at + 8, length
        at += 12 + length


def _jpeg(file: BinaryIO, xmp: bytes) -> list[Piece] | None:
    """Behind JFIF and Exif, which want to be first."""
    after = 2
    for marker, at, length in _jpeg_segments(file):
        file.seek(at)
        start = file.read(min(length, 64))
        if marker == 0xEB and start.startswith(b"JP"):  # JUMBF, the box of C2PA
            return None
        if marker == 0xE1 and start.startswith(_JPEG_XMP):
            return None
        if (marker == 0xE0 and start.startswith(b"JFIF\0")) or (marker == 0xE1 and start.startswith(b"Exif\0")):
            after = at + length
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(_JPEG_XMP) + len(xmp)) + _JPEG_XMP + xmp
    return [(0, after), segment, (after, _size(file))]


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Marker, place of the content, and length of each segment in front of the picture itself."""
    at = 2
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xD9, 0xDA):
            return
        if head[1] == 0xFF:  # a byte that fills
            at += 1
            continue
        length = int.from_bytes(head[2:], "big")
        if length < 2:
            return
        yield head[1], at + 4, length - 2
        at += 2 + length


def _webp(file: BinaryIO, xmp: bytes) -> list[Piece] | None:
    """At the end, and said so in the header `VP8X`, which a plain file gets."""
    file.seek(0)
    head = file.read(30)
    if len(head) < 30:
        return None
    end = 8 + int.from_bytes(head[4:8], "little")
    end = min(end + end % 2, _size(file))
    for kind in _webp_chunks(file, end):
        if kind in (b"C2PA", b"XMP "):
            return None
    chunk = b"XMP " + struct.pack("<I", len(xmp)) + xmp + b"\0" * (len(xmp) % 2)
    odd = b"\0" * (end % 2)
    if head[12:16] == b"VP8X":
        extended, after = head[12:20] + bytes([head[20] | _WEBP_XMP_FLAG]) + head[21:30], 30
    else:
        header = _webp_header(head)
        if header is None:
            return None
        extended, after = header, 12
    length = 4 + len(extended) + (end - after) + len(odd) + len(chunk)
    return [b"RIFF" + struct.pack("<I", length) + b"WEBP" + extended, (after, end), odd, chunk]


def _webp_chunks(file: BinaryIO, end: int) -> Iterator[bytes]:
    at = 12
    for _ in range(_MOST_PARTS):
        if at + 8 > end:
            return
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        yield kind
        at += 8 + length + length % 2


def _webp_header(head: bytes) -> bytes | None:
    """The extended header for a plain file: that it has XMP, whether it has transparency, and its size."""
    size = image_size("image/webp", head)
    if size is None:
        return None
    has_alpha = head[12:16] == b"VP8L" and bool(int.from_bytes(head[21:25], "little") >> 28 & 1)
    flags = _WEBP_XMP_FLAG | (_WEBP_ALPHA_FLAG if has_alpha else 0)
    sides = (size.width - 1).to_bytes(3, "little") + (size.height - 1).to_bytes(3, "little")
    return b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + sides


def _size(file: BinaryIO) -> int:
    return file.seek(0, 2)


_FORMATS: dict[str, Callable[[BinaryIO, bytes], list[Piece] | None]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
}
