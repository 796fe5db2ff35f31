"""The body of a response: read up to a limit, unpacked with care, and as text."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

import httpx

REFUSAL_TIMEOUT_S = 5.0
"""How long the body of a response that is no success is waited for: its status has said already what happened."""

_UNPACKED_AT_ONCE = 256 * 1024
_PACKED_AT_ONCE = 4 * 1024
"""What is left behind a part is copied, and there may be thousands of parts in a chunk."""
_PACKINGS = ("gzip", "x-gzip", "deflate")
_PACKED = re.compile(r"\b(gzip|deflate|br|zstd|compress|dcb|dcz|exi|pack200-gzip)\b")
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w-]{1,20})", re.IGNORECASE)
# Python's codecs include some that are no charsets, and one whose decoding takes quadratic time.
_CHARSETS = re.compile(
    r"(utf-?(8|16|32)|(us-)?ascii|latin-?1|iso-?8859|windows-?125|cp125|shift_jis|sjis|euc|gb|big5|koi8)[\w-]*",
    re.IGNORECASE,
)


class Unfollowed(httpx.Response):
    """A response whose `location` httpx leaves alone: it reads it even where it follows nothing, and takes few."""

    has_redirect_location = False


class TooLarge(Exception):
    """A body of more bytes than it may have."""


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """The whole body, unpacked when it came as gzip or deflate.

    Raises:
        TooLarge: it has more than `limit` bytes, packed or unpacked.
        httpx.DecodingError: it is packed in a way that was not asked for, or not as it says.
        httpx.TransportError: the connection broke.
    """
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit and response.request.method != "HEAD":
        raise TooLarge
    unpacker = Unpacker(response)
    content = bytearray()
    async for chunk in response.aiter_raw():
        for piece in unpacker.feed(chunk):
            if len(content) + len(piece) > limit:
                raise TooLarge
            content += piece
    unpacker.finish()
    return bytes(content)


class Unpacker:
    """Unpacks a body as it arrives, in pieces so small that a few bytes cannot become many at once.

    A header that names no way of packing (`utf-8`, `none`) counts for nothing: the body is as it is.

    Raises:
        httpx.DecodingError: it is packed in a way that was not asked for.
    """

    def __init__(self, response: httpx.Response) -> None:
        named = response.headers.get("content-encoding", "").strip().lower()
        packing = named if _PACKED.search(named) else ""
        if packing and packing not in _PACKINGS:
            raise httpx.DecodingError(f"it is packed as {packing[:20]!r}, which was not asked for")
        self._packed = bool(packing)
        self._unpacking = zlib.decompressobj(47)  # gzip or zlib, as the first bytes say
        self._started = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the next bytes of the body unpack to.

        Raises:
            httpx.DecodingError: they cannot be unpacked.
        """
        if not self._packed:
            yield chunk
            return
        self._started = self._started or bool(chunk)
        for start in range(0, len(chunk), _PACKED_AT_ONCE):
            yield from self._unpack(chunk[start : start + _PACKED_AT_ONCE])

    def _unpack(self, packed: bytes) -> Iterator[bytes]:
        while packed:
            if self._unpacking.eof:  # gzip may be several parts, one after the other
                self._unpacking = zlib.decompressobj(47)
            try:
                piece = self._unpacking.decompress(packed, _UNPACKED_AT_ONCE)
            except zlib.error as error:
                raise httpx.DecodingError(f"it cannot be unpacked: {error}") from None
            if piece:
                yield piece
            packed = self._unpacking.unconsumed_tail or self._unpacking.unused_data

    def finish(self) -> None:
        """The body has ended.

        Raises:
            httpx.DecodingError: before it is unpacked.
        """
        if self._packed and self._started and not self._unpacking.eof:
            raise httpx.DecodingError("it ends before it is unpacked")


def as_text(content: bytes, content_type: str) -> str:
    """A body as text, in the charset its media type names, else UTF-8; invalid bytes become U+FFFD."""
    named = _CHARSET.search(content_type)
    charset = named.group(1) if named is not None and _CHARSETS.fullmatch(named.group(1)) else "utf-8"
    try:
        text = content.decode(charset, "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    return text.removeprefix("\ufeff")
