"""HTTP clients: httpx over connections of our own.

httpx keeps the API; its own pool looks at every connection on every request and is slow above sixteen of them. What a
request needs beyond httpx is passed through `request.extensions["delivery"]`: whether anything was sent yet. A response
has in `extensions["peer"]` the address it came from, unless a proxy was in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpx

from flowdsl.step.service import PORTS
from flowdsl_steps.http.connect import CONNECT_TIMEOUT_S, Judge, Route, connected, status_line, tls_context
from flowdsl_steps.http.connection import Connection, Delivery, NotSent, Outgoing
from flowdsl_steps.http.proxy import Proxy, environment_proxy
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.http.response_body import Unfollowed

if TYPE_CHECKING:
    from flowdsl import OpenTransport

KEEP_ALIVE_S = 3.0
"""How long a connection is kept that nobody uses: shorter than any service we know keeps its end of it."""

_CONNECTIONS = 512
_AT_ONCE, _AT_ONCE_OF_MANY, _MANY = 256 * 1024, 128 * 1024, 16
"""Bytes that a connection reads at once. Each holds about three times as much: of many together that is what counts,
of few how quick it is."""


class Transport(httpx.AsyncBaseTransport):
    """An httpx transport: no redirects, no cookies, no credentials of its own, at most 512 connections.

    ConnectError and ConnectTimeout are raised before anything was sent, ReadError after; ProxyError before,
    except where a proxy took the request itself. `judge` refuses addresses before they are connected to.
    """

    def __init__(
        self, tls: ssl.SSLContext | None = None, judge: Judge | None = None, keep_alive_s: float = KEEP_ALIVE_S
    ) -> None:
        self._tls = tls
        self._reading: asyncio.Future[ssl.SSLContext] | None = None
        self._judge = judge
        self._keep_alive_s = keep_alive_s
        self._routes: dict[tuple[str, bytes, int | None], Route] = {}
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response with its body still to be read.

        Raises:
            httpx.TransportError: the connection failed.
            ConfigError: there can be no TLS.
        """
        route = self._route(request.url)
        await self._turns.acquire()
        connection: Connection | None = None
        try:
            while True:
                connection = self._rested(route)
                is_new = connection is None
                if connection is None:
                    connection = await self._connected(route)
                try:
                    return await self._exchanged(request, route, connection)
                except NotSent:
                    self._drop(connection)
                    if is_new:
                        raise httpx.ConnectError("the connection was closed before anything was sent") from None
        except BaseException:
            if connection is not None:
                self._drop(connection)
            self._turns.release()
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for route in self._routes.values():
            route.idle.clear()
        for connection in [*self._open]:
            self._drop(connection)
        await asyncio.sleep(0)  # asyncio closes a socket in its next round

    async def _exchanged(self, request: httpx.Request, route: Route, connection: Connection) -> httpx.Response:
        by = None if route.is_https else route.proxy  # of https it only passes on the bytes
        connection.read_at_once(_AT_ONCE if len(self._open) <= _MANY else _AT_ONCE_OF_MANY)
        delivery: Delivery = request.extensions.get("delivery") or Delivery()
        head = await connection.exchange(_outgoing(request, by), delivery)
        if by is not None and head.status_code == 407:  # it has the request, and nobody sees what it did with it
            raise httpx.ProxyError(f"the proxy {by.shown} responded with {status_line(head)}")
        return Unfollowed(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(self, route, connection),
            extensions={
                "http_version": b"HTTP/" + head.http_version,
                "reason_phrase": head.reason,
                "peer": connection.peer if route.proxy is None else None,
            },
        )

    def _route(self, url: httpx.URL) -> Route:
        key = url.scheme, url.raw_host, url.port
        route = self._routes.get(key)
        if route is None:
            host = url.raw_host.decode("ascii")
            port = PORTS.get(url.scheme, 0) if url.port is None else url.port
            if not host or not 0 < port < 65536:
                raise httpx.UnsupportedProtocol("it is not a web address")
            by = environment_proxy(url.scheme, host, port)
            route = self._routes[key] = Route(host, port, url.scheme == "https", by)
        return route

    def _rested(self, route: Route) -> Connection | None:
        """A connection that is open and still of use. The others are dropped: what they would break is not repeated."""
        oldest = asyncio.get_running_loop().time() - self._keep_alive_s
        while route.idle:
            connection = route.idle.pop()
            if connection.idle_since > oldest and connection.is_usable():
                return connection
            self._drop(connection)
        return None

    async def _connected(self, route: Route) -> Connection:
        if len(self._open) >= _CONNECTIONS:
            self._drop_oldest()
        connection = Connection()
        self._open.add(connection)
        try:
            if self._tls is None and route.needs_tls:
                self._tls = await self._usual_tls()
            await connected(connection, route, self._tls, self._judge)
        except BaseException:
            self._drop(connection)
            raise
        return connection

    async def _usual_tls(self) -> ssl.SSLContext:
        """The usual TLS settings, read once in a thread: that takes as long as many small requests.

        Raises:
            ConfigError: there can be none.
        """
        reading = self._reading or asyncio.ensure_future(asyncio.to_thread(tls_context, None, None))
        self._reading = reading
        try:
            return await asyncio.shield(reading)
        finally:
            if reading.done():  # where it failed, the next who asks tries again
                self._reading = None

    def _drop_oldest(self) -> None:
        """Makes room. Those that are at work are fewer than those that may be open, so one rests."""
        resting = [route for route in self._routes.values() if route.idle]
        if resting:
            self._drop(min(resting, key=lambda route: route.idle[0].idle_since).idle.pop(0))

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.abort()

    def give_back(self, route: Route, connection: Connection) -> None:
        """The end of an exchange: a connection that is of use rests until the next."""
        self._turns.release()
        if not connection.is_done or connection not in self._open:
            self._drop(connection)
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        route.idle.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(self._keep_alive_s, self._swept)

    def _swept(self) -> None:
        """Closes what has rested long enough, and comes again for the rest."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._keep_alive_s
        for route in self._routes.values():
            while route.idle and route.idle[0].idle_since <= oldest:
                self._drop(route.idle.pop(0))
        left = [route.idle[0].idle_since for route in self._routes.values() if route.idle]
        self._sweep = loop.call_at(min(left) + self._keep_alive_s, self._swept) if left else None


class _Body(httpx.AsyncByteStream):
    """The body in pieces as large as what has arrived."""

    def __init__(self, transport: Transport, route: Route, connection: Connection) -> None:
        self._transport = transport
        self._route = route
        self._connection: Connection | None = connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self  # no generator, which somebody would have to close where a body is left half read

    async def __anext__(self) -> bytes:
        if self._connection is None or not (chunk := await self._connection.read()):
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport.give_back(self._route, connection)


class Client(httpx.AsyncClient):
    """A client without cookies, which also goes the short way to its transport: cookies, redirects and logins, which
    httpx looks after with every request, are none of ours."""

    def __init__(self, transport: httpx.AsyncBaseTransport, timeout: httpx.Timeout | None) -> None:
        super().__init__(transport=transport, timeout=timeout, follow_redirects=False)
        self.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))  # one run's are not another's
        self._way = transport
        self._extensions = {"timeout": self.timeout.as_dict()}

    async def exchange(self, request: HttpRequest, delivery: Delivery) -> httpx.Response:
        """The response with its body still to be read.

        Raises:
            httpx.HTTPError: the request failed.
            httpx.InvalidURL: the address is none.
        """
        built = _built(request, {**self._extensions, "delivery": delivery})
        response = await self._way.handle_async_request(built)
        response.request = built
        return response


def _built(request: HttpRequest, extensions: dict[str, Any]) -> httpx.Request:
    """The request of httpx. It is made here, so that no traceback of what fails later has a variable with its key."""
    url = _read_url(request.url)
    arguments = request.arguments()
    names = {name.lower() for name, _ in arguments["headers"]}
    headers = [*(usual for usual in _USUAL if usual[0] not in names), *arguments["headers"]]
    if url.userinfo and b"authorization" not in names:  # of an address that a server has sent somebody on to
        headers.append((b"authorization", b"Basic " + b64encode(f"{url.username}:{url.password}".encode())))
    return httpx.Request(**{**arguments, "url": url, "headers": headers}, extensions=extensions)


_read_url = lru_cache(maxsize=256)(httpx.URL)
"""Requests of a service go to one address."""
_USUAL = (
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"flowdsl"),
)


@contextlib.asynccontextmanager
async def open_client(
    *,
    ca_pem: str | None = None,
    client_pem: str | None = None,
    judge: Judge | None = None,
    keep_alive_s: float = KEEP_ALIVE_S,
    open_transport: OpenTransport | None = None,
) -> AsyncIterator[Client]:
    """A pooled client without cookies. `ca_pem` is trusted beside the usual authorities, `client_pem` holds a
    certificate and its key.

    Both are PEM text, or the path of a PEM file. Deadlines are the caller's. `open_transport` is the host's.

    Raises:
        ssl.SSLError: invalid PEM data.
        OSError: a PEM file that cannot be read.
        ConfigError: SSL_CERT_FILE or SSL_CERT_DIR names nothing that can be read, or the host opens no transport.
    """
    tls = await asyncio.to_thread(tls_context, ca_pem, client_pem) if ca_pem or client_pem else None
    transport: httpx.AsyncBaseTransport
    timeout = None
    if open_transport is None:
        transport = Transport(tls, judge, keep_alive_s)
    else:
        from flowdsl_steps.http.host_transport import HostTransport

        transport = HostTransport(open_transport, tls, judge)
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)
    async with Client(transport, timeout) as client:
        yield client


@contextlib.asynccontextmanager
async def exchanged(client: Client, request: HttpRequest, delivery: Delivery) -> AsyncIterator[httpx.Response]:
    """The response to a request, its body still to be read."""
    response = await client.exchange(request, delivery)
    try:
        yield response
    finally:
        await response.aclose()


def _outgoing(request: httpx.Request, by: Proxy | None) -> Outgoing:
    """A request as it is written: to a proxy that takes it as it is, with the whole address."""
    target, headers = request.url.raw_path, request.headers.raw
    if by is not None:
        origin = str(request.url.copy_with(raw_path=b"/", fragment=None)).encode("ascii")
        target, headers = origin.removesuffix(b"/") + target, [*headers, *by.headers()]
    stream = request.stream
    content = request.content if isinstance(stream, httpx.ByteStream) else stream
    assert isinstance(content, bytes | AsyncIterable)  # noqa: S101  an asynchronous client makes no other
    return Outgoing(request.method, target, headers, content)
