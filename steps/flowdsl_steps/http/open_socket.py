"""What the system, or TLS, knows of an open connection and the event loop does not say."""

from __future__ import annotations

import asyncio
import select
import ssl


def has_news(transport: asyncio.Transport) -> bool:
    """Whether there is something to read: of a connection that nothing was asked on, that can only be its end."""
    found = transport.get_extra_info("socket")
    if found is None:
        return False
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(found.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([found.fileno()], [], [], 0)[0])


def drops(transport: asyncio.Transport) -> bool:
    """Whether what has come is lost when the other end closes while reading is paused: with TLS on uvloop."""
    return type(transport).__module__.startswith("uvloop") and transport.get_extra_info("ssl_object") is not None


def is_cut(transport: asyncio.Transport) -> bool:
    """Whether a connection with TLS ended without the word of TLS for it."""
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return False
    try:
        return bool(tls.read(1))
    except ssl.SSLError:  # it waits for more
        return True
