"""One connection: a request goes out and its response comes in. h11 writes and reads HTTP/1.1, asyncio the bytes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections import deque
from collections.abc import AsyncIterable
from typing import cast

import h11
import httpx

from flowdsl.errors import text_of
from flowdsl_steps.http.arrivals import arrived, room
from flowdsl_steps.http.open_socket import drops, has_news, is_cut

_HELD = 64 * 1024
"""With so many bytes waiting to be taken, no more are read from the network."""
_HELD_BY_UVLOOP = 64 * 1024 * 1024
"""The same with TLS on uvloop, which throws away what it has of a response when its end comes while nothing is read."""
_HEAD_LIMIT = 64 * 1024
_NO_BODY = frozenset({204, 304})
_TOGETHER = 64 * 1024
_NOT_HTTP = "what the server sent is not HTTP"
_CUT = "the connection was cut, without the end that TLS has"


class NotSent(Exception):
    """The connection was closed already: not a byte of the request went out."""


class Delivery:
    """How far one request came: `sent` is true as soon as any of its bytes may have left."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


class Outgoing:
    """A request as it is written. It has no repr and is passed whole, so that no traceback's variables show a key."""

    __slots__ = ("content", "headers", "method", "target")

    def __init__(
        self,
        method: str,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        content: bytes | AsyncIterable[bytes] = b"",
    ) -> None:
        self.method = method.encode("ascii")
        self.target = target
        self.headers = headers
        self.content = content


class _Nowhere(asyncio.Transport):
    """What a connection that did not come about leads to."""

    def abort(self) -> None:
        """There is nothing to close."""

    def is_closing(self) -> bool:
        """It was never open."""
        return True


_NOWHERE = _Nowhere()


class Connection(asyncio.BufferedProtocol):
    """Carries one request at a time. Whoever waits, waits for news: bytes, an end, or room to write."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport = _NOWHERE
        self._http = h11.Connection(h11.CLIENT)
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._most = _HELD
        self._left: int | None = None
        self._complete = False
        self._is_last = False
        self._ended = False
        self._broken: Exception | None = None
        self._reading = True
        self._writable = True
        self._waiter: asyncio.Future[None] | None = None

    def read_at_once(self, most: int) -> None:
        """How many bytes are read from the network at once."""
        self._most = most

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The bytes go this way; behind a proxy, first in the open and then through TLS."""
        self._transport = cast("asyncio.Transport", transport)  # of a stream; that of uvloop is no subclass

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return room(self._most)

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes, which are not read any further while nobody takes them."""
        self._pieces.append(arrived(nbytes))
        self._held += nbytes
        if self._held >= _HELD and self._reading and (self._held >= _HELD_BY_UVLOOP or not drops(self._transport)):
            self._reading = False
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> None:
        """The other end says no more. With TLS it says so inside of it; without that, anybody may have cut it."""
        self._ended = True
        if is_cut(self._transport):
            self._broken = ConnectionResetError(_CUT)
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone. Of one that was cut without the end that TLS has, uvloop says nothing before."""
        if exc is None and not self._ended and self._transport.get_extra_info("ssl_object") is not None:
            exc = ConnectionResetError(_CUT)
        self._ended, self._broken, self._writable = True, exc or self._broken, True
        self._tell()

    def pause_writing(self) -> None:
        """The network takes no more for now."""
        self._writable = False

    def resume_writing(self) -> None:
        """The network takes more."""
        self._writable = True
        self._tell()

    def _tell(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _news(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # What the pool asks.

    def is_usable(self) -> bool:
        """Whether the other end is still there and silent, asked of the system: the loop may not have seen it yet."""
        return not (self._ended or self._pieces or self._transport.is_closing() or has_news(self._transport))

    @property
    def is_done(self) -> bool:
        """Whether request and response are complete and another may follow."""
        is_whole = self._complete and self._http.our_state is h11.DONE
        # After an early response the rest of the body still waits, and another request would wait behind it.
        has_left = is_whole and not self._transport.get_write_buffer_size()
        return has_left and not (self._is_last or self._ended or self._pieces)

    @property
    def peer(self) -> str | None:
        """The address at the other end."""
        found = self._transport.get_extra_info("peername")
        return str(found[0]) if found else None

    def abort(self) -> None:
        """Closes at once."""
        self._ended = True
        self._transport.abort()

    async def encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """From here on everything goes through TLS."""
        loop = asyncio.get_running_loop()
        self._pieces.clear()
        self._held = 0
        transport = await loop.start_tls(self._transport, self, tls, server_hostname=host)
        if transport is None:
            raise ConnectionResetError("the connection was closed")
        self._transport = transport

    # The exchange.

    async def exchange(self, request: Outgoing, delivery: Delivery) -> h11.Response:
        """Sends a request, and gives the head of the response, which may come before all is sent.

        Raises:
            NotSent: the connection was closed before.
            httpx.LocalProtocolError: the request cannot be written as HTTP.
            httpx.ReadError: the connection broke, or what came is not HTTP.
        """
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
        self._complete = False
        self._begin(request, delivery)
        response = None
        if not isinstance(request.content, bytes):
            response = await self._stream(request.content)
        while response is None and (response := self._head()) is None:
            await self._news()
        return self._opened(response, request.method)

    def _begin(self, request: Outgoing, delivery: Delivery) -> None:
        """Writes the head, and a body that is there already; a small one together with the head.

        The first write is tried at once, and an error there means that not a byte has left.
        """
        pieces = [self._written(request)]
        if isinstance(request.content, bytes):
            if request.content:
                pieces.append(self._passed(request.content))
            pieces.append(self._passed(None))
            if len(request.content) < _TOGETHER:
                pieces = [b"".join(pieces)]
        if self._ended or self._transport.is_closing():
            raise NotSent
        self._transport.write(pieces[0])
        if self._transport.is_closing():
            raise NotSent
        delivery.sent = True
        for piece in pieces[1:]:
            self._transport.write(piece)

    def _written(self, request: Outgoing) -> bytes:
        with contextlib.suppress(h11.LocalProtocolError):  # its text quotes headers, and one of them is the key
            # blanks around a value do not count; and no name holds the values, for a traceback would show it
            return (
                self._http.send(
                    h11.Request(
                        method=request.method,
                        target=request.target,
                        headers=[(name, value.strip(b" \t")) for name, value in request.headers],
                    )
                )
                or b""
            )
        raise httpx.LocalProtocolError("the address or a header holds a character that HTTP does not allow")

    def _passed(self, content: bytes | None) -> bytes:
        """What goes out for a piece of the body; for None, its end."""
        with contextlib.suppress(h11.LocalProtocolError):
            return self._http.send(h11.EndOfMessage() if content is None else h11.Data(data=content)) or b""
        raise httpx.LocalProtocolError("the body has another length than its header says")

    async def _stream(self, content: AsyncIterable[bytes]) -> h11.Response | None:
        """Sends a body piece by piece; gives the head of the response when that comes before its end."""
        pieces = content.__aiter__()
        try:
            async for piece in pieces:
                if piece and not self._ended:
                    self._transport.write(self._passed(piece))
                while True:  # what comes meanwhile makes no room
                    if (self._pieces or self._ended) and (early := self._head()) is not None:
                        return early
                    if self._writable:
                        break
                    await self._news()
            if end := self._passed(None):
                self._transport.write(end)
        finally:
            if close := getattr(pieces, "aclose", None):
                await close()
        return None

    def _head(self) -> h11.Response | None:
        """The head of the response, as soon as all of it is there."""
        while True:
            event = self._event()
            if isinstance(event, h11.Response):
                return event
            if event is h11.NEED_DATA:
                if self._pieces:
                    self._http.receive_data(self._taken())
                elif self._ended:
                    raise httpx.ReadError(self._lost("the server closed the connection without a response"))
                else:
                    return None
            elif not isinstance(event, h11.InformationalResponse):
                raise httpx.ReadError(_NOT_HTTP)

    def _opened(self, response: h11.Response, method: bytes) -> h11.Response:
        """Notes how the end of the body shows. A known length is counted here, so that pictures pass uncopied."""
        names = dict(response.headers)
        self._is_last = b"content-length" in names and b"transfer-encoding" in names  # RFC 9112, 6.3: never after that
        if method in (b"HEAD", b"CONNECT") or response.status_code in _NO_BODY:
            self._left = 0
        elif b"content-length" in names and b"transfer-encoding" not in names:
            self._left = int(names[b"content-length"])
        else:
            self._left = None
        if self._left is not None:
            rest = self._http.trailing_data[0]
            if rest:
                self._pieces.appendleft(rest)
                self._held += len(rest)
        self._complete = self._left == 0
        return response

    async def read(self) -> bytes:
        """The next bytes of the body, as many as have come; none at its end.

        Raises:
            httpx.ReadError: the connection broke, or what came is not HTTP.
        """
        if self._left is None:
            return await self._read_event()
        if not self._left:
            return b""
        while not self._pieces:
            if self._ended:
                raise httpx.ReadError(self._lost("the connection was closed before the end of the body"))
            await self._news()
        data = self._taken()
        if len(data) > self._left:
            self._ended = True  # what comes behind a response belongs to nothing
            data = data[: self._left]
        self._left -= len(data)
        self._complete = not self._left
        return data

    async def _read_event(self) -> bytes:
        while True:
            event = self._event()
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if event is h11.NEED_DATA:
                if self._pieces:
                    self._http.receive_data(self._taken())
                elif not self._ended:
                    await self._news()
                elif self._broken is not None:
                    raise httpx.ReadError(self._lost(""))
                else:
                    self._http.receive_data(b"")
            else:
                self._complete = True
                if self._http.trailing_data[0]:
                    self._ended = True  # what comes behind a response belongs to nothing
                return b""

    def _event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError:
            pass  # its text quotes what came
        if self._ended and not self._pieces:
            raise httpx.ReadError(self._lost("the connection was closed before the end of the body"))
        raise httpx.ReadError(_NOT_HTTP)

    def _taken(self) -> bytes:
        """All bytes that have come."""
        pieces = self._pieces
        data = pieces.popleft() if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._held = 0
        if not self._reading and not self._ended:
            self._reading = True
            with contextlib.suppress(RuntimeError):  # closing
                self._transport.resume_reading()
        return data

    def _lost(self, reason: str) -> str:
        broken = self._broken
        return reason if broken is None else reason_of(broken)


def reason_of(error: Exception) -> str:
    """What the system says about a connection, without its numbers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error}"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    if isinstance(error, OSError):
        said = error.strerror or str(error)
        if error.errno and ("Connect call failed" in said or not said):
            said = os.strerror(error.errno)
        return said or type(error).__name__
    return text_of(error) or type(error).__name__
