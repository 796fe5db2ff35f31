"""The host of an address, read without importing anything, and whether it is near."""

from __future__ import annotations


def host_of(endpoint: str) -> str:
    """The host name of an address, in lower case."""
    authority = endpoint.partition("://")[2] or endpoint
    for end in "/?#":
        authority = authority.partition(end)[0]
    authority = authority.rpartition("@")[2].strip().lower()
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def is_local(host: str) -> bool:
    """Whether a host name, by its look, is this machine's or of a private network."""
    if "." not in host.strip(".") and ":" not in host:
        return True
    if host[-1].isdigit() or ":" in host:
        import ipaddress

        try:
            return not ipaddress.ip_address(host).is_global
        except ValueError:
            return False
    return host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
