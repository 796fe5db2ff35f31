"""Pictures that an answer only gives the address of, fetched at once and without credentials.

The address comes from outside, so it must not lead into the network behind this machine: every address its name
resolves to is judged, and the connection goes to a judged one.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from flowdsl.errors import ServiceUnavailable, StepError
from flowdsl.image import Image, ImageStore
from flowdsl_steps.image.answer import LinkedImage
from flowdsl_steps.image.transport import open_client, proxy_hosts

FETCH_TIMEOUT_S = 60.0
"""Deadline of one attempt to fetch a picture."""
FETCH_ATTEMPTS = 3

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PAUSE_S = 0.25


class Refused(Exception):
    """An address that is not fetched from, or content that is not taken; the text says why."""


def is_public(address: str) -> bool:
    """Whether an IP address leads into the open internet, whatever it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names as the system does, and refuses a name when any of its addresses is not public.

    aiohttp connects to just the addresses it is given here, so a name cannot change its mind in between. The proxies
    of the environment may be private: they are the operator's choice.
    """

    def __init__(self) -> None:
        self._system = ThreadedResolver()
        self._trusted = proxy_hosts()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            OSError: one of them is not public, or there is none.
        """
        found = await self._system.resolve(host, port, family)
        for result in found:
            if host not in self._trusted and not is_public(result["host"]):
                raise OSError(errno.EACCES, f"{host} leads to the private address {result['host']}")
        return found

    async def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def open_fetcher(allow_private: bool) -> AsyncIterator[httpx.AsyncClient]:
    """A client for pictures; unless private addresses are allowed, it cannot reach any."""
    async with open_client(resolver=None if allow_private else PublicResolver()) as client:
        yield client


async def is_private_host(host: str) -> bool:
    """Whether a host name or address leads to this machine or its own network."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(not is_public(str(entry[4][0])) for entry in found)


async def fetch(
    client: httpx.AsyncClient,
    link: LinkedImage,
    store: ImageStore,
    *,
    service: str,
    limit: int,
    allow_private: bool,
    timeout_s: float = FETCH_TIMEOUT_S,
) -> Image:
    """The picture behind a link, stored. `limit` is the most bytes it may have.

    Raises:
        ServiceUnavailable: it could not be had; the picture is paid for, so `details` holds its address.
    """
    problem = ""
    for attempt in range(FETCH_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_PAUSE_S * 2**attempt)
        try:
            _refuse_address(link.url, allow_private)
            async with asyncio.timeout(timeout_s):
                return await _fetch_once(client, link, store, limit)
        except Refused as error:
            problem = str(error)
            break
        except httpx.UnsupportedProtocol as error:
            problem = str(error)
            break
        except TimeoutError:
            problem = f"not complete within {timeout_s:g} s"
        except httpx.HTTPError as error:
            problem = str(error)
            if "private address" in problem:
                break
    raise ServiceUnavailable(
        f"the picture that {service} made cannot be fetched from {urlsplit(link.url).netloc}: {problem}",
        service=service,
        code="image-not-fetched",
        hint="the picture was made and is billed; its address, in the details of this error, lives for an hour",
        charge_possible=True,
        details={"url": link.url},
    )


def _refuse_address(url: str, allow_private: bool) -> None:
    """Judges what the resolver does not see: the scheme, addresses written as numbers, names a proxy resolves."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise Refused("it is not a web address")
    if allow_private:
        return
    try:
        public = is_public(host)
    except ValueError:
        public = not (host == "localhost" or host.endswith(".localhost") or host in proxy_hosts())
    if not public:
        raise Refused(f"{host} is a private address")


async def _fetch_once(client: httpx.AsyncClient, link: LinkedImage, store: ImageStore, limit: int) -> Image:
    async with client.stream("GET", link.url, headers={"Accept": "image/*"}) as response:
        if response.is_redirect:
            raise Refused(f"it redirects (status {response.status_code}), which is not followed")
        if response.status_code >= 500 or response.status_code == 429:
            raise httpx.RemoteProtocolError(f"status {response.status_code}")
        if not response.is_success:
            raise Refused(f"status {response.status_code}")
        with store.writer(limit) as writer:
            try:
                async for chunk in response.aiter_bytes():
                    writer.write(chunk)
                return writer.commit(
                    url=link.url, revised_prompt=link.revised_prompt, url_expires_at=link.url_expires_at
                )
            except StepError as error:
                if error.code == "image-unwritable":
                    raise
                raise Refused(error.message) from error
