"""How a connection comes about: the name, the address that answers first, the proxy's tunnel, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h11
import httpx

from flowdsl.errors import ConfigError
from flowdsl_steps.http.connection import Connection, Delivery, NotSent, Outgoing, reason_of
from flowdsl_steps.http.proxy import Proxy

CONNECT_TIMEOUT_S = 10.0
"""How long a connection may take to come about: name lookup, proxy and TLS included."""

Judge = Callable[[str, str], None]
"""Raises OSError when a host (first) must not be reached at an address (second)."""


class RefusedAddress(httpx.ConnectError):
    """An address that a judge refuses: trying again would not help."""


_HEAD_START_S = 0.25
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer is seen, and not waited for
_MOST_PEM = 4 * 1024 * 1024


class Route:
    """The way to one address, by a proxy or not, and the connections that rest there, the last used one at the end."""

    __slots__ = ("host", "idle", "is_https", "port", "proxy")

    def __init__(self, host: str, port: int, is_https: bool, by: Proxy | None) -> None:
        self.host = host
        self.port = port
        self.is_https = is_https
        self.proxy = by
        self.idle: list[Connection] = []

    @property
    def needs_tls(self) -> bool:
        """Whether anything on the way speaks TLS."""
        return self.is_https or (self.proxy is not None and self.proxy.scheme == "https")


async def connected(connection: Connection, route: Route, tls: ssl.SSLContext | None, judge: Judge | None) -> None:
    """Opens a connection. A proxy makes a tunnel for https, and takes requests for http as they are.

    Raises:
        httpx.ConnectTimeout: it took too long.
        RefusedAddress: the judge refuses it.
        httpx.ConnectError: there is none, or its certificate is not trusted.
        httpx.ProxyError: the proxy makes none.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if route.proxy is not None:
                await _opened_by(route.proxy, connection, route, tls, judge)
            else:
                await _opened(connection, route.host, route.port, tls if route.is_https else None, judge)
    except TimeoutError:
        problem: httpx.TransportError = httpx.ConnectTimeout(f"no connection within {CONNECT_TIMEOUT_S:g} s")
    except OSError as error:
        problem = httpx.ConnectError(reason_of(error))
    else:
        return
    raise problem


async def _opened_by(
    by: Proxy, connection: Connection, route: Route, tls: ssl.SSLContext | None, judge: Judge | None
) -> None:
    named = f"the proxy {by.shown}"
    if by.scheme not in ("http", "https") or not by.host or not by.port:
        raise httpx.ProxyError(f"{named} is not supported: use an http proxy, or NO_PROXY")
    try:
        await _opened(connection, by.host, by.port, tls if by.scheme == "https" else None, judge)
    except TimeoutError:
        raise
    except OSError as error:
        raise httpx.ProxyError(f"{named} cannot be reached: {reason_of(error)}") from None
    if not route.is_https:
        return
    try:
        head = await connection.exchange(_tunnel(route, by), Delivery())
    except (httpx.ReadError, NotSent) as error:
        raise httpx.ProxyError(f"{named} made no connection: {str(error) or 'it closed it'}") from None
    if not 200 <= head.status_code < 300:
        raise httpx.ProxyError(f"{named} responded with {status_line(head)}")
    assert tls is not None  # noqa: S101  the address is one of https
    await connection.encrypt(tls, route.host.rstrip("."))


def _tunnel(route: Route, by: Proxy) -> Outgoing:
    place = (f"[{route.host}]:{route.port}" if ":" in route.host else f"{route.host}:{route.port}").encode("ascii")
    return Outgoing("CONNECT", place, [(b"Host", place), *by.headers()])


def status_line(head: h11.Response) -> str:
    """Status and reason of a response, for messages."""
    return f"{head.status_code} {head.reason.decode('latin-1')[:40]}".strip()


async def _opened(
    connection: Connection, host: str, port: int, tls: ssl.SSLContext | None, judge: Judge | None
) -> None:
    found = await _addresses(host, port)
    if judge is not None:
        for _, address in found:
            try:
                judge(host, str(address[0]))
            except OSError as error:
                raise RefusedAddress(reason_of(error)) from None
    sock = await _first(found)
    name = host.rstrip(".") if tls is not None else None
    try:
        await asyncio.get_running_loop().create_connection(lambda: connection, sock=sock, ssl=tls, server_hostname=name)
    except BaseException:
        sock.close()
        raise


_Address = tuple[socket.AddressFamily, tuple[Any, ...]]


async def _addresses(host: str, port: int) -> list[_Address]:
    """The addresses of a host, the families in turn."""
    try:
        return [(socket.AF_INET, (socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, host)), port))]
    except OSError:
        pass  # a name, or the other family
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(f"{host} is no name of a host") from None
    by_family: dict[socket.AddressFamily, list[_Address]] = {}
    for family, _, _, _, address in found:
        by_family.setdefault(family, []).append((family, address))
    longest = max(map(len, by_family.values()))
    return [own[turn] for turn in range(longest) for own in by_family.values() if turn < len(own)]


async def _first(addresses: list[_Address]) -> socket.socket:
    """A socket to the address that takes it first. Each has a head start before the next is tried: RFC 8305."""
    if len(addresses) == 1:
        return await _dialled(addresses[0])
    waiting = [*reversed(addresses)]
    dialling: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    try:
        while waiting or dialling:
            if waiting:
                dialling.add(asyncio.create_task(_dialled(waiting.pop())))
            done, dialling = await asyncio.wait(
                dialling, timeout=_HEAD_START_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            won = [task for task in done if task.exception() is None]
            for task in won[1:]:
                task.result().close()
            if won:
                return won[0].result()
            errors += [error for task in done if isinstance(error := task.exception(), OSError)]
    finally:
        for task in dialling:
            task.cancel()
        for ended in await asyncio.gather(*dialling, return_exceptions=True):
            if isinstance(ended, socket.socket):
                ended.close()
    raise OSError(", ".join(dict.fromkeys(map(reason_of, errors))) or "no address")


async def _dialled(address: _Address) -> socket.socket:
    sock = socket.socket(address[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else Nagle's stays on
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address[1])
    except BaseException:
        sock.close()
        raise
    return sock


def tls_context(ca_pem: str | None, client_pem: str | None) -> ssl.SSLContext:
    """The TLS settings, for a service with an authority or a client certificate of its own those too.

    Raises:
        ssl.SSLError: invalid PEM data.
        OSError: a PEM file that cannot be read.
        ConfigError: SSL_CERT_FILE or SSL_CERT_DIR names nothing that can be read.
    """
    context = _usual_context()
    if ca_pem:
        context.load_verify_locations(cadata=_pem(ca_pem))
    if client_pem:
        with _readable(_pem(client_pem).encode("ascii")) as file:
            context.load_cert_chain(file)
    return context


@contextlib.contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """A path from which a key can be read, which OpenSSL takes no other way: of no file where the system can do that,
    as one could be left behind by a process that is killed, or by Ctrl-C while it is removed."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        with os.fdopen(os.memfd_create("client.pem"), "wb", 0) as held:
            held.write(content)
            yield f"/proc/self/fd/{held.fileno()}"
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "client.pem")
        path.touch(0o600)
        path.write_bytes(content)
        yield str(path)


def _pem(given: str) -> str:
    """PEM that stands in a setting itself, or in a file that it names."""
    if "-----BEGIN" not in given:
        return pem_file(given)
    if not given.isascii():
        raise OSError(0, "it is not PEM")
    return given


def _usual_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        name = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), None)
        if name is None:
            raise
        what = "a file of certificates in PEM" if name == "SSL_CERT_FILE" else "a folder of certificates"
        raise ConfigError(
            f"the environment variable {name} is `{os.environ[name]}`, which cannot be used: {reason_of(error)}",
            code="invalid-certificate",
            hint=f"set {name} to {what}, or unset it",
        ) from None


def pem_file(path: str) -> str:
    """The text of a PEM file.

    Raises:
        OSError: it is no file, too large for one, or cannot be read.
    """
    if "\0" in path:
        raise OSError(0, "no file has such a name")
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_WAIT), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is not a file")
        content = file.read(_MOST_PEM + 1)
    if len(content) > _MOST_PEM:
        raise OSError(0, f"it has more than {_MOST_PEM:,} bytes, which no certificates have")
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise OSError(0, "it is not PEM") from None
