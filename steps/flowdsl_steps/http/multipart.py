"""A `multipart/form-data` body that is read from disk while it is sent, so that its files cost no memory.

Source: RFC 7578; file names as WHATWG HTML 4.10.21.8 writes them, which is what official clients do.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from typing import BinaryIO

from flowdsl.record import Record

_PIECE = 256 * 1024
_END = b"\r\n"


class UnreadPart(Exception):
    """A file that cannot be read, or that has another length than it had when its sending began."""


class Part(Record):
    """A field (`content` is a text or bytes), or a file when it has a `filename`: its bytes, or the `path` of it, or
    the `opened` file, which may have no name."""

    name: str
    content: str | bytes = b""
    filename: str | None = None
    media_type: str | None = None
    path: str | None = None
    opened: BinaryIO | None = None

    @property
    def length(self) -> int:
        """The bytes of its content.

        Raises:
            UnreadPart: its file is not there.
        """
        if self.opened is not None:
            return os.fstat(self.opened.fileno()).st_size
        if self.path is None:
            return len(self._bytes())
        try:
            return os.path.getsize(self.path)  # noqa: PTH202  light
        except OSError as error:
            raise UnreadPart(f"{self.filename} cannot be read: {error.strerror or error}") from error

    def _bytes(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else self.content

    def head(self, boundary: str) -> bytes:
        """What stands before its content."""
        named = f'; filename="{_escaped(self.filename)}"' if self.filename is not None else ""
        lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{_escaped(self.name)}"{named}']
        if self.media_type is not None:
            lines.append(f"Content-Type: {self.media_type}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def pieces(self, length: int) -> AsyncIterator[bytes]:
        """Its content, piece by piece, which is as long as the head of the request says.

        Raises:
            UnreadPart: its file cannot be read, or has changed.
        """
        if self.path is None and self.opened is None:
            yield self._bytes()
            return
        import asyncio  # here, as flows are checked without it

        if self.path is None:
            assert self.opened is not None  # noqa: S101  as above
            for start in range(0, length, _PIECE):
                yield await asyncio.to_thread(os.pread, self.opened.fileno(), min(_PIECE, length - start), start)
            return
        left = length
        try:
            file = await asyncio.to_thread(open, self.path, "rb")
            with file:
                while (piece := await asyncio.to_thread(file.read, _PIECE)) and len(piece) <= left:
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise UnreadPart(f"{self.filename} cannot be read: {error.strerror or error}") from error
        if piece or left:
            raise UnreadPart(f"{self.filename} was {'longer' if piece else 'shorter'} than before while it was sent")


class Multipart:
    """The body of some parts; it may be iterated as often as the request is sent."""

    def __init__(self, parts: Iterable[Part], boundary: str | None = None) -> None:
        self.parts = tuple(parts)
        self._boundary = boundary or os.urandom(16).hex()
        self._tail = f"--{self._boundary}--\r\n".encode()
        self._lengths: list[int] | None = None

    @property
    def content_type(self) -> str:
        """The media type, which names the boundary."""
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def length(self) -> int:
        """How many bytes it has.

        Raises:
            UnreadPart: a file is not there.
        """
        self._lengths = [part.length for part in self.parts]
        around = sum(len(part.head(self._boundary)) + len(_END) for part in self.parts)
        return around + sum(self._lengths) + len(self._tail)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes, read from disk as they are needed.

        Raises:
            UnreadPart: a file cannot be read, or has changed since its length was asked.
        """
        for part, length in zip(self.parts, self._lengths or [part.length for part in self.parts], strict=True):
            yield part.head(self._boundary)
            async for piece in part.pieces(length):
                yield piece
            yield _END
        yield self._tail


def _escaped(text: str) -> str:
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
