"""Requests to addresses that come from outside: they must not lead into the network behind this machine.

Every address that a name resolves to is checked, and the connection goes to a checked one.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from flowdsl_steps.http.proxy import THIS_MACHINE, environment_proxy, proxy_hosts
from flowdsl_steps.http.transport import Client, open_client

if TYPE_CHECKING:
    from flowdsl import OpenTransport

_WRAPPING = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
"""Networks whose addresses end in an IPv4 address that they lead to."""


def is_public(address: str) -> bool:
    """Whether an IP address leads into the open internet, whatever it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip.is_site_local or ip.is_loopback or ip.is_unspecified:
            return False
        if inner is None and any(ip in network for network in _WRAPPING):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


def is_link_local(address: str) -> bool:
    """Whether an IP address leads no further than the link, whatever it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and not ip.is_link_local:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF).is_link_local and not is_public(address)
    return ip.is_link_local


def _is_loopback(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    wrapped = isinstance(ip, ipaddress.IPv6Address) and ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF).is_loopback
    return ip.is_loopback or wrapped


class PublicAddresses:
    """Judges each address that a host is about to be reached at, after the name was resolved, so that a name cannot
    change its mind in between. The proxies of the environment may be private: they are the operator's choice.

    `peers` are private addresses that were really connected to before. More of their network may be reached then, but
    from none of them this machine, and never what is of the link alone.
    """

    def __init__(self, peers: Iterable[str] = ()) -> None:
        self._trusted = proxy_hosts()
        self._kinds = {_is_loopback(peer) for peer in peers}

    def __call__(self, host: str, address: str) -> None:
        """Raises OSError when the address is not public."""
        if host in self._trusted or is_public(address):
            return
        if is_link_local(address) or _is_loopback(address) not in self._kinds:
            raise OSError(errno.EACCES, f"{host} leads to the private address {address}")


@asynccontextmanager
async def open_fetcher(
    allow_private: bool = False, peers: Iterable[str] = (), open_transport: OpenTransport | None = None
) -> AsyncIterator[Client]:
    """A client that, unless private addresses are allowed, it reaches none but those beside `peers`."""
    judge = None if allow_private else PublicAddresses(peers)
    async with open_client(judge=judge, open_transport=open_transport) as client:
        yield client


def is_same_host(url: str, host: str) -> bool:
    """Whether an address leads to a host; the names of this machine are one."""
    try:
        other = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return other == host or {other, host} <= THIS_MACHINE


async def refused(url: str, allow_private: bool = False) -> str | None:
    """Why an address is not reached, as `refusal` says it. A proxy resolves names by itself, so its view cannot be
    checked; this machine's can."""
    reason = refusal(url, allow_private)
    if reason is None and not allow_private:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if environment_proxy(parts.scheme, host, parts.port) is not None and await is_private_host(host):
            reason = f"{host} leads to a private address"
    return reason


async def is_private_host(host: str) -> bool:
    """Whether a host name or address leads to this machine or its own network."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a label of more than 63 letters is no name
        return False
    return any(not is_public(str(entry[4][0])) for entry in found)


def refusal(url: str, allow_private: bool = False) -> str | None:
    """Why an address is not reached, by all that the resolver does not see; None when nothing speaks against it.

    That is the scheme, addresses written as numbers, and names that a proxy resolves. The host is read twice, as
    people read it and as the client will, so that no spelling passes as one host and connects to another.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            return "it is not a web address"
        connected = httpx.URL(url).raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        return "it is not a web address"
    if allow_private:
        return None
    for name in (host, connected):
        address = _in_full(name)
        try:
            public = is_public(address)
        except ValueError:
            public = not (name == "localhost" or name.endswith(".localhost") or name in proxy_hosts())
        if not public:
            return f"{name} is a private address" if name == address else f"{name} is the private address {address}"
    return None


def _in_full(host: str) -> str:
    """An IPv4 address that is written as the system's connect() takes it, such as 127.1, with all four numbers."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return host
