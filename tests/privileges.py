"""Root without its power to write everywhere, so that tests of permissions mean the same to everybody."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522
_OVERRIDES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH. Source: capabilities(7)."""


@contextmanager
def permissions_respected() -> Iterator[None]:
    """Inside, files and folders keep everybody out whom their mode keeps out, root too (on Linux)."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; and the same for capabilities above 31
    _done(libc.capget(header, sets))
    before = sets[0]
    sets[0] &= ~_OVERRIDES
    _done(libc.capset(header, sets))  # of this thread, and of those that it starts
    try:
        yield
    finally:
        sets[0] = before
        _done(libc.capset(header, sets))


def _done(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
