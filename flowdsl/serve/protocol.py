"""HTTP/1.1 with bounds on what uvicorn's takes of any length and for any time: the head of a request, before anybody
has looked at who sends it, and what may follow its body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flowdsl.serve.descriptors import most_connections
from flowdsl.serve.refusal import Refusal

LONGEST_HEAD = 64 * 1024
"""The address of a request and its headers together."""
MOST_HEADERS = 200
"""An empty one takes fifty times the memory that it has letters."""
PATIENCE_S = 30.0
"""So long a head may take, and so long a connection may be there without one."""
MOST_WAITING = 32
"""Requests that may wait on a connection for the one before them. Official clients send the next one after that."""


class Protocol(HttpToolsProtocol):
    """A connection. What is not the body of a request is counted from the last byte on that was."""

    _beside_bytes = 0
    _is_in_head = True
    _patience: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, on_refused: Callable[[int, str], str], **options: Any) -> None:
        """`on_refused` is told the status and the code of what never becomes a request, and gives it an id."""
        super().__init__(*args, **options)
        self._on_refused = on_refused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects, who is to say what for."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            message = "The gateway has as many connections as it takes; send the request again."
            self._refuse(503, "Service Unavailable", message, "server_is_overloaded")
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._head_came()
        if self._is_responding and (making := self.cycle.scope["state"].get("making")) is not None:
            making.left()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More of a request; of a head that is too long, it is the last."""
        self._beside_bytes += len(data)
        super().data_received(data)
        if self._beside_bytes > LONGEST_HEAD and not self.transport.is_closing():
            self._refuse_head()
        elif self._is_in_head and self._patience is None:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """A request begins, with its head."""
        self._is_in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers, or what follows its body."""
        if len(self.headers) >= MOST_HEADERS:
            self._beside_bytes = LONGEST_HEAD + 1
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._beside_bytes, self._is_in_head = 0, False
        self._head_came()
        if len(self.pipeline) >= MOST_WAITING:
            raise ValueError("too many requests that wait for the one before them")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """More of its body."""
        self._beside_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._beside_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What comes is no HTTP, or too much of it."""
        if self._beside_bytes > LONGEST_HEAD:
            self._refuse_head()
        else:
            self._refuse(400, "Bad Request", f"{msg} It is to be a request of HTTP/1.1.", "invalid_http")

    def _refuse_head(self) -> None:
        message = (
            f"A request has at most {MOST_HEADERS} headers, and {LONGEST_HEAD} bytes of address and headers together."
        )
        self._refuse(431, "Request Header Fields Too Large", message, "request_head_too_large")

    def _refuse(self, status: int, reason: str, message: str, code: str) -> None:
        if self._is_responding:  # into which nothing else can be said
            self.transport.close()
            return
        body = json.dumps(Refusal(status, message, code=code).body()).encode()
        head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        head += f"x-request-id: {self._on_refused(status, code)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(PATIENCE_S, self._give_up)

    def _give_up(self) -> None:
        """No head came; where a request before it is being worked on, its response is waited for."""
        if self._is_responding:
            self._wait_for_head()
        else:
            self.transport.close()

    @property
    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _head_came(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
