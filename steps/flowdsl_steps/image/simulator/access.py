"""Who may speak to the simulator: programs on this machine, and web pages and names only by leave.

A page of a stranger can make its own name point to this machine and then read what the simulator recorded (DNS
rebinding). Its requests give it away: `Host` and `Origin` hold the name.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

TOKEN_HEADER = "x-simulator-token"  # noqa: S105  the name of the header


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def stranger(headers: Mapping[str, str], hosts: Collection[str]) -> str | None:
    """What is wrong with the names in a request, None when it comes from where it may; `hosts` are let in beside this
    machine, and `*` among them lets in every address that is a number, which no name can be made to look like."""
    for name in ("host", "origin"):
        value = headers.get(name)
        if value is not None and not _is_known(value if name == "origin" else f"//{value}", hosts):
            return (
                f"The simulator does not serve the {name} '{value}': it is for programs on this machine. "
                "`flowdsl simulate --allow-host NAME` lets one more in."
            )
    return None


def _is_known(url: str, hosts: Collection[str]) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return is_loopback(host) or host in hosts or ("*" in hosts and _is_number(host))


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def has_token(headers: Mapping[str, str], token: str | None) -> bool:
    """Whether a request may use the control address: with its token, where there is one."""
    return token is None or hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), token.encode())
