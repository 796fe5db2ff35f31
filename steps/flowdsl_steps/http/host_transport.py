"""Requests by a transport of the host: what the steps rely on, whatever transport that is.

Above a transport stand deadlines, redirects, limits, unpacking and what is sent again. Here is what lies between: which
addresses are reached, whether anything was sent, and failures as errors of httpx.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import httpx

from flowdsl.errors import ConfigError
from flowdsl_steps.http.connect import Judge, RefusedAddress
from flowdsl_steps.http.connection import Delivery, reason_of
from flowdsl_steps.http.response_body import Unfollowed

if TYPE_CHECKING:
    from flowdsl import OpenTransport

_OF_HOST = "the `transport` of the host application"
_BEFORE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""What a transport raises before a byte of the request has left. After anything else it may have arrived."""


class HostTransport(httpx.AsyncBaseTransport):
    """Sends through the transport that a host opens; `tls` holds the certificates of a service entry, if it has some.

    `judge` refuses addresses as far as this machine resolves the name: where the transport connects to is up to it.

    Raises:
        ConfigError: the host opens none.
    """

    def __init__(self, open_transport: OpenTransport, tls: ssl.SSLContext | None, judge: Judge | None) -> None:
        try:
            with _foreign():
                transport = open_transport(tls)
        except httpx.HTTPError as error:
            raise ConfigError(f"{_OF_HOST} cannot be opened: {error}", code="transport-failed") from error
        if not isinstance(transport, httpx.AsyncBaseTransport):
            given = type(transport).__name__
            raise ConfigError(
                f"{_OF_HOST} gives {given}, and no httpx.AsyncBaseTransport",
                code="transport-failed",
                hint="let it give one, such as `httpx.AsyncHTTPTransport(verify=tls or True)`",
            )
        self._transport = transport
        self._judge = judge

    async def __aenter__(self) -> HostTransport:
        try:
            with _foreign():
                await self._transport.__aenter__()
        except httpx.HTTPError as error:
            raise ConfigError(f"{_OF_HOST} cannot be opened: {error}", code="transport-failed") from error
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response with its body still to be read.

        Raises:
            httpx.TransportError: the transport failed, or the address is refused.
        """
        if self._judge is not None:
            await _judged(self._judge, request.url)
        delivery: Delivery = request.extensions.get("delivery") or Delivery()
        before, delivery.sent = delivery.sent, True  # a deadline may end it anywhere
        try:
            with _foreign():
                response = await self._transport.handle_async_request(request)
        except _BEFORE:
            delivery.sent = before
            raise
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise httpx.ReadError("the transport gives a response that cannot be read in an event loop")
        # Another one, as that of a MockTransport counts as read.
        return Unfollowed(
            response.status_code,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Closes the transport of the host."""
        await self._transport.aclose()


class _Body(httpx.AsyncByteStream):
    """The body as the transport gives it; what it raises is an error of httpx."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _foreign():
            async for piece in self._stream:
                yield piece

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        except (Exception, asyncio.CancelledError) as error:  # the response is read, and may be paid for
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            loop = asyncio.get_running_loop()
            said = "a response of the host's transport failed to close"
            loop.call_exception_handler({"message": said, "exception": error})


@contextlib.contextmanager
def _foreign() -> Iterator[None]:
    """The host's code: what it raises is an error of httpx."""
    try:
        yield
    except httpx.HTTPError:
        raise
    except Exception as error:
        words = reason_of(error)
        named = words if isinstance(error, OSError) else f"the transport failed: {type(error).__name__}: {words}"
        raise httpx.ReadError(named) from error


async def _judged(judge: Judge, url: httpx.URL) -> None:
    """Refuses an address that this machine knows to lead inside. A name that it does not know may be one of a proxy."""
    host = url.raw_host.decode("ascii")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    try:
        for entry in found:
            judge(host, str(entry[4][0]))
    except OSError as error:
        raise RefusedAddress(reason_of(error)) from None
