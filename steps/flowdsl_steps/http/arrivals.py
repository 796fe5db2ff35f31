"""Where the bytes of the network arrive: one place for all connections of a thread, as each takes its own at once."""

from __future__ import annotations

import threading

_MOST = 256 * 1024


class _Place(threading.local):
    def __init__(self) -> None:
        self.view = memoryview(bytearray(_MOST))


_PLACE = _Place()


def room(most: int) -> memoryview:
    """Room for so many bytes."""
    return _PLACE.view[:most]


def arrived(length: int) -> bytes:
    """What has come there."""
    return bytes(_PLACE.view[:length])
