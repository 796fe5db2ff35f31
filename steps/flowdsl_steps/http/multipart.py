"""A `multipart/form-data` body that is read from disk while it is sent, so that its files cost no memory.

Source: RFC 7578; file names as WHATWG HTML 4.10.21.8 writes them, which is what official clients do.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable

from flowdsl.record import Record

_PIECE = 256 * 1024
_END = b"\r\n"


class Part(Record):
    """A field (`content` is a text or bytes), or a file when it has a `filename`: its bytes, or the `path` of it."""

    name: str
    content: str | bytes = b""
    filename: str | None = None
    media_type: str | None = None
    path: str | None = None

    @property
    def length(self) -> int:
        """The bytes of its content."""
        return os.path.getsize(self.path) if self.path is not None else len(self._bytes())  # noqa: PTH202  light

    def _bytes(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else self.content

    def head(self, boundary: str) -> bytes:
        """What stands before its content."""
        named = f'; filename="{_escaped(self.filename)}"' if self.filename is not None else ""
        lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{_escaped(self.name)}"{named}']
        if self.media_type is not None:
            lines.append(f"Content-Type: {self.media_type}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its content, piece by piece."""
        if self.path is None:
            yield self._bytes()
            return
        import asyncio  # here, as flows are checked without it

        file = await asyncio.to_thread(open, self.path, "rb")
        with file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece


class Multipart:
    """The body of some parts; it may be iterated as often as the request is sent."""

    def __init__(self, parts: Iterable[Part], boundary: str | None = None) -> None:
        self.parts = tuple(parts)
        self._boundary = boundary or os.urandom(16).hex()
        self._tail = f"--{self._boundary}--\r\n".encode()

    @property
    def content_type(self) -> str:
        """The media type, which names the boundary."""
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def length(self) -> int:
        """How many bytes it has.

        Raises:
            OSError: a file is not there.
        """
        return sum(len(part.head(self._boundary)) + part.length + len(_END) for part in self.parts) + len(self._tail)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes, read from disk as they are needed."""
        for part in self.parts:
            yield part.head(self._boundary)
            async for piece in part.pieces():
                yield piece
            yield _END
        yield self._tail


def _escaped(text: str) -> str:
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
