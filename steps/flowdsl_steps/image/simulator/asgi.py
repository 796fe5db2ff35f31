"""One HTTP request and its response over ASGI, down to breaking the connection."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from flowdsl_steps.image.simulator.record import RecordedRequest

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TRANSPORT = "flowdsl.simulator.transport"


class Asgi:
    """A request and the means to respond to it; `record`, when set, learns the status before the client does."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._transport: asyncio.Transport | None = scope.get("extensions", {}).get(TRANSPORT)
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: str = scope["query_string"].decode("latin-1")
        self.headers: dict[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.record: RecordedRequest | None = None

    @property
    def origin(self) -> str:
        """The server's own URL as the client sees it."""
        return f"http://{self.headers.get('host', 'localhost')}"

    async def body(self, limit: int) -> bytes | None:
        """The whole request body; what has come when the client leaves early. None when it is longer than `limit`,
        without reading on."""
        pieces: list[bytes] = []
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            return None
        while sum(map(len, pieces)) <= limit:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return b"".join(pieces)
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(pieces) if sum(map(len, pieces)) <= limit else None
        return None

    async def gone(self) -> None:
        """Returns when the client has left or the server stops."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def left_within(self, seconds: float) -> bool:
        """Whether the client leaves within so many seconds."""
        try:
            await asyncio.wait_for(self.gone(), seconds)
        except TimeoutError:
            return False
        return True

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Sends the status line and headers."""
        if self.record is not None:
            self.record.status = status
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, piece: bytes) -> None:
        """Sends a piece of the body."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def finish(self) -> None:
        """Ends the body."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def respond(self, status: int, headers: Mapping[str, str], pieces: Iterable[bytes]) -> None:
        """Sends a whole response of known length."""
        parts = list(pieces)
        await self.start(status, {**headers, "content-length": str(sum(map(len, parts)))})
        for part in parts:
            await self.write(part)
        await self.finish()

    async def respond_json(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
        """Sends a JSON document."""
        content = json.dumps(value).encode()
        await self.respond(status, {"content-type": "application/json", **(headers or {})}, [content])

    async def reset(self) -> None:
        """Breaks the connection with a TCP reset.

        Raises: ConnectionResetError where the server gives no access to its socket.
        """
        if self._transport is None:
            raise ConnectionResetError("the simulator resets this connection")
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        await self.gone()

    async def cut(self) -> None:
        """Closes the connection in good order, but too early.

        Raises: ConnectionResetError where the server gives no access to its socket.
        """
        if self._transport is None:
            raise ConnectionResetError("the simulator cuts this connection")
        self._transport.close()
        await self.gone()
