"""Pictures as Pillow reads them, if it is installed: files of whatever kind, and whatever it makes of them."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_RAISED = (
    *(OSError, ValueError, TypeError, AttributeError, SyntaxError, EOFError, MemoryError),
    *(ArithmeticError, LookupError, RuntimeError, struct.error, zlib.error),
)
"""What Pillow and its decoders raise at files that are damaged, or made to do harm."""


def is_there() -> bool:
    """Whether Pillow is installed."""
    from importlib.util import find_spec

    return find_spec("PIL") is not None


@contextmanager
def quietly() -> Iterator[None]:
    """Nobody hears what Pillow thinks of a file; entered in one thread, around all that others do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read(act: Callable[[], T]) -> T | None:
    """What comes of reading a picture; None where it cannot be read."""
    from PIL import Image

    try:
        return act()
    except (*_RAISED, Image.DecompressionBombError):
        return None
