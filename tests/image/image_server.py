"""A tiny server on a real socket, for responses that no images API gives."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Response = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Tiny:
    """Counts connections, keeps the heads of requests, and knows when the client left."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.heads: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.url = ""
        self._running: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        """Break off what is still going on."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the server ends
        finally:
            self.left.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = next((int(x[15:]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:")), 0)
                await reader.readexactly(length)
                self.asked.set()
                await self._response(head, reader, writer)
                await writer.drain()


@contextlib.asynccontextmanager
async def tiny(response: Response, tls: ssl.SSLContext | None = None) -> AsyncIterator[Tiny]:
    """A running `Tiny`."""
    server = Tiny(response)
    listening = await asyncio.start_server(server.accept, "127.0.0.1", 0, ssl=tls)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        try:
            yield server
        finally:
            await server.end()


def plain(body: bytes, status: str = "200 OK", headers: str = "") -> Response:
    """Always this response."""

    async def response(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body)

    return response
