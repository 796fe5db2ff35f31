"""Pictures as Pillow reads them, if it is installed: files of whatever kind, and whatever it makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


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
    """What comes of reading a picture; None where it cannot be read. A file that is damaged, or made to do harm, can
    raise anything there."""
    try:
        return act()
    except Exception:  # noqa: BLE001
        return None
