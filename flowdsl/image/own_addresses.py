"""Addresses of pictures that whoever serves a run gives out: what is behind one is read from the store, and never asked
for over the network. They count while a run goes on, and are looked at where pictures are fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class NoPicture(Exception):
    """An address that is ours, and leads to no picture; the text says why."""


OwnAddresses = Callable[[str], "str | None"]
"""Gives the path of the picture's file behind an address, None for one that is not ours; raises NoPicture."""
_OWN: ContextVar[OwnAddresses | None] = ContextVar("own addresses of pictures", default=None)


def own_file(link: str) -> str | None:
    """The path of the file behind an address of ours; None for an address that is not.

    Raises:
        NoPicture: it leads to none, or to none any more.
    """
    own = _OWN.get()
    return None if own is None else own(link)


@contextmanager
def knowing(own: OwnAddresses | None) -> Iterator[None]:
    """Within it, and in tasks that begin in it, these addresses count."""
    token = _OWN.set(own)
    try:
        yield
    finally:
        _OWN.reset(token)
