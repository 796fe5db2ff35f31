"""The body of a response: read up to a limit, unpacked with care, and as text."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator

import httpx

_UNPACKED_AT_ONCE = 256 * 1024
_PACKINGS = ("gzip", "x-gzip", "deflate")
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w-]{1,20})", re.IGNORECASE)
# Python's codecs include some that are no charsets, and one whose decoding takes quadratic time.
_CHARSETS = re.compile(
    r"(utf-?(8|16|32)|(us-)?ascii|latin-?1|iso-?8859|windows-?125|cp125|shift_jis|sjis|euc|gb|big5|koi8)[\w-]*",
    re.IGNORECASE,
)


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
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    unpacker = Unpacker(packing, limit)
    async for chunk in response.aiter_raw():
        unpacker.feed(chunk)
    return unpacker.finish()


async def unpacked(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body in pieces, never many bytes at once, however small they were packed. What is packed in a way that nobody
    asked for comes as it is.

    Raises:
        httpx.DecodingError: it is not packed as it says.
        httpx.TransportError: the connection broke.
    """
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing not in _PACKINGS:
        async for chunk in response.aiter_raw():
            yield chunk
        return
    unpacking = zlib.decompressobj(47)
    async for chunk in response.aiter_raw():
        rest = chunk
        while rest:
            if unpacking.eof:
                unpacking = zlib.decompressobj(47)
            try:
                yield unpacking.decompress(rest, _UNPACKED_AT_ONCE)
            except zlib.error as error:
                raise httpx.DecodingError(f"it cannot be unpacked: {error}") from None
            rest = unpacking.unconsumed_tail or unpacking.unused_data
    if tail := unpacking.flush():
        yield tail
    if not unpacking.eof:
        raise httpx.DecodingError("it ends before it is unpacked")


class Unpacker:
    """Takes the bytes of a body as they arrive, and never holds more than the limit of what they unpack to."""

    def __init__(self, packing: str, limit: int) -> None:
        if packing not in ("", "identity", *_PACKINGS):
            raise httpx.DecodingError(f"it is packed as {packing[:20]!r}, which was not asked for")
        self._packed = packing not in ("", "identity")
        self._limit = limit
        self._unpacking = zlib.decompressobj(47)  # gzip or zlib, as the first bytes say
        self._started = False
        self._content = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Adds bytes."""
        if not self._packed:
            self._add(chunk)
            return
        self._started = self._started or bool(chunk)
        while chunk:
            if self._unpacking.eof:  # gzip may be several parts, one after the other
                self._unpacking = zlib.decompressobj(47)
            try:
                self._add(self._unpacking.decompress(chunk, _UNPACKED_AT_ONCE))
            except zlib.error as error:
                raise httpx.DecodingError(f"it cannot be unpacked: {error}") from None
            chunk = self._unpacking.unconsumed_tail or self._unpacking.unused_data

    def finish(self) -> bytes:
        """The body."""
        if self._packed and self._started:
            self._add(self._unpacking.flush())
            if not self._unpacking.eof:
                raise httpx.DecodingError("it ends before it is unpacked")
        return bytes(self._content)

    def _add(self, content: bytes) -> None:
        if len(self._content) + len(content) > self._limit:
            raise TooLarge
        self._content += content


def as_text(content: bytes, content_type: str) -> str:
    """A body as text, in the charset its media type names, else UTF-8; invalid bytes become U+FFFD."""
    named = _CHARSET.search(content_type)
    charset = named.group(1) if named is not None and _CHARSETS.fullmatch(named.group(1)) else "utf-8"
    try:
        text = content.decode(charset, "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    return text.removeprefix("\ufeff")
