"""The proxies that the environment names, and the hosts that take none."""

from __future__ import annotations

import base64
import ipaddress
import os
import urllib.parse
import urllib.request

from flowdsl.step.service import PORTS

THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of the machine itself."""


def proxy_hosts() -> frozenset[str]:
    """The hosts of all proxies that the environment names."""
    return frozenset(parts.hostname for parts in map(_parts, urllib.request.getproxies().values()) if parts.hostname)


def _parts(address: str) -> urllib.parse.SplitResult:
    """The parts of a proxy's address; none of one that cannot be read."""
    try:
        return urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
    except ValueError:
        return urllib.parse.urlsplit("")


class Proxy:
    """A proxy. `shown` is what a message says of it; its login only goes into the header for it."""

    __slots__ = ("_login", "host", "port", "scheme", "shown")

    def __init__(self, address: str) -> None:
        parts = _parts(address)
        place = parts.netloc.rpartition("@")[2]
        self.scheme = parts.scheme
        self.shown = f"{parts.scheme}://{place}" if place else "of the environment, whose address cannot be read,"
        self.host = parts.hostname or ""
        number = place.rpartition(":")[2] if ":" in place.rpartition("]")[2] else ""
        self.port = int(number) if number.isdecimal() else PORTS.get(parts.scheme, 0) if not number else 0
        self._login = ""
        if parts.username:
            self._login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The header with the login, if there is one."""
        if not self._login:
            return []
        return [(b"Proxy-Authorization", b"Basic " + base64.b64encode(self._login.encode()))]


def environment_proxy(scheme: str, host: str, port: int | None = None) -> Proxy | None:
    """The proxy that the environment names for an address, or None. A service on this machine never takes one."""
    proxies = urllib.request.getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if address is None or host in THIS_MACHINE or is_excepted(host, port or PORTS.get(scheme, 0)):
        return None
    return Proxy(address)


def is_excepted(host: str, port: int) -> bool:
    """Whether NO_PROXY, or the system's settings, take a host from the proxy.

    An entry is a name and all under it (`a.example`, `.a.example`, `*.a.example`), an address or a network
    (`10.0.0.0/8`), any of them with a port behind it, or `*` for every host.
    """
    entries = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if any(_fits(entry.strip().lower(), host.lower().rstrip("."), port) for entry in entries.split(",")):
        return True
    return bool(urllib.request.proxy_bypass(host))


def _fits(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal() and (name.endswith("]") or ":" not in name):
        if int(number[:6]) != port:
            return False
        entry = name
    entry = entry.strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = entry.removeprefix("*").lstrip(".").rstrip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
