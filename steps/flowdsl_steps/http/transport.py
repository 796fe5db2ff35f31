"""HTTP clients: httpx over aiohttp's connections.

httpx keeps the API; its own pool looks at every connection on every request and is slow above sixteen of them. What a
request needs beyond httpx is passed through `request.extensions["delivery"]`: whether anything was sent yet.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import ssl
import tempfile
import urllib.parse
import urllib.request
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import yarl
from aiohttp.abc import AbstractResolver

CONNECT_TIMEOUT_S = 10.0
"""How long a connection may take to come about, name lookup and TLS included."""

_READ_BUFFER = 64 * 1024
_KEEPALIVE_S = 15.0
_CONNECTIONS = 512
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Delivery:
    """How far one request came: `sent` is true as soon as a connection was there to send it over."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


class AiohttpTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one aiohttp session: no redirects, no cookies, no credentials of its own.

    Foreign exceptions become httpx's: ConnectError and ConnectTimeout before anything was sent, ReadError after.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, resolver: AbstractResolver | None = None) -> None:
        self._tls = tls
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str], dict[str, Any]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response with its body still to be read.

        Raises:
            httpx.TransportError: the connection failed.
        """
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        place = request.url.scheme, request.url.host
        proxy = self._proxies.get(place)
        if proxy is None:
            proxy = self._proxies[place] = _proxy_options(*place)
        if request.url.scheme == "https" and self._tls is None:
            self._tls = httpx.create_ssl_context()
        if proxy and request.url.scheme == "http":
            headers += proxy.get("proxy_headers", {}).items()  # without a tunnel the request itself is the proxy's
        with _httpx_errors():
            response = await self._open_session().request(
                request.method,
                _address(request.url),
                headers=headers,
                data=_content(request),
                allow_redirects=False,
                ssl=self._tls or True,
                trace_request_ctx=request.extensions.get("delivery"),
                **proxy,
            )
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Body(response),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=_CONNECTIONS,
                keepalive_timeout=_KEEPALIVE_S,
                resolver=self._resolver,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S),
                auto_decompress=False,
                read_bufsize=_READ_BUFFER,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                trace_configs=[_delivery_trace()],
            )
        return self._session


def proxy_hosts() -> frozenset[str]:
    """The hosts of all proxies that the environment names."""
    addresses = (
        urllib.parse.urlsplit(a if "://" in a else f"http://{a}") for a in urllib.request.getproxies().values()
    )
    return frozenset(parts.hostname for parts in addresses if parts.hostname)


def environment_proxy(scheme: str, host: str) -> urllib.parse.SplitResult | None:
    """The proxy that the environment names for an address, or None. A service on this machine never takes one."""
    proxies = urllib.request.getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if address is None or host in _LOOPBACK or urllib.request.proxy_bypass(host):
        return None
    return urllib.parse.urlsplit(address if "://" in address else f"http://{address}")


def _proxy_options(scheme: str, host: str) -> dict[str, Any]:
    """What aiohttp wants to know of the proxy for an address."""
    parts = environment_proxy(scheme, host)
    if parts is None:
        return {}
    if parts.scheme not in ("http", "https"):
        raise httpx.ProxyError(f"a {parts.scheme} proxy is not supported: use an http proxy, or NO_PROXY")
    proxy = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if not parts.username:
        return {"proxy": proxy}
    login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    token = base64.b64encode(login.encode()).decode()
    return {"proxy": proxy, "proxy_headers": {"Proxy-Authorization": f"Basic {token}"}}


def _address(url: httpx.URL) -> yarl.URL:
    """The address with its bytes as they are: a signed one counts as another when its escapes are written anew."""
    try:
        return yarl.URL(str(url), encoded=True)
    except ValueError as error:
        raise httpx.UnsupportedProtocol(f"it is not a web address: {error}") from None


def _content(request: httpx.Request) -> bytes | AsyncIterable[bytes] | None:
    """The body as aiohttp takes it: bytes, or a stream whose length a header says."""
    if isinstance(request.stream, httpx.ByteStream):
        return request.content or None
    assert isinstance(request.stream, AsyncIterable)  # noqa: S101  an asynchronous client makes no other
    return request.stream


class _Body(httpx.AsyncByteStream):
    """The body in pieces as large as what has arrived."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self  # no generator, which somebody would have to close where a body is left half read

    async def __anext__(self) -> bytes:
        with _httpx_errors():
            chunk = await self._response.content.readany()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        self._response.close()


def _delivery_trace() -> aiohttp.TraceConfig:
    async def connected(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx.sent = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


@contextlib.contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except aiohttp.ClientHttpProxyError as error:
        # Not chained: the original holds the headers of the request, and with them the key.
        raise httpx.ProxyError(f"the proxy responded with {error.status} {error.message}") from None
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(_reason(error)) from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx.ReadError(str(error) or type(error).__name__) from error


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """Why no connection came about, in the system's words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    cause = error.os_error
    said = cause.strerror or str(cause)
    if "Connect call failed" in said or said.startswith("[Errno"):
        numbers = [int(number) for number in re.findall(r"\[Errno (\d+)\]", said)] or [cause.errno or 0]
        return ", ".join(dict.fromkeys(os.strerror(number) for number in numbers if number)) or "no connection"
    return said or type(cause).__name__


@contextlib.asynccontextmanager
async def open_client(
    *, ca_pem: str | None = None, client_pem: str | None = None, resolver: AbstractResolver | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A pooled client; `ca_pem` is trusted beside the usual authorities, `client_pem` holds a certificate and its key.

    Both are PEM text, or the path of a PEM file. Deadlines are the caller's.

    Raises:
        ssl.SSLError: invalid PEM data.
        OSError: a PEM file that cannot be read.
    """
    tls = await asyncio.to_thread(tls_context, ca_pem, client_pem) if ca_pem or client_pem else None
    transport = AiohttpTransport(tls, resolver)
    async with httpx.AsyncClient(transport=transport, timeout=None, follow_redirects=False) as client:  # noqa: S113
        yield client


def tls_context(ca_pem: str | None, client_pem: str | None) -> ssl.SSLContext:
    """The TLS settings of a service with an authority or a client certificate of its own."""
    context = httpx.create_ssl_context()
    if ca_pem:
        pem = ca_pem if "-----BEGIN" in ca_pem else Path(ca_pem).read_text("ascii")
        context.load_verify_locations(cadata=pem)
    if client_pem and "-----BEGIN" in client_pem:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "client.pem")
            file.touch(0o600)
            file.write_text(client_pem, "ascii")
            context.load_cert_chain(file)
    elif client_pem:
        context.load_cert_chain(client_pem)
    return context
