"""Garbage is collected rarely while a command reads files and imports modules: nearly all of it stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def few_collections(*, last: bool) -> Iterator[None]:
    """Collects garbage rarely: modules stay, and nodes live as long as their file; looking through them takes time.

    After the `last` command of a process nothing is looked through any more, not even by the interpreter as it ends.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.freeze()
        if not last:
            gc.set_threshold(*before)
            gc.unfreeze()  # all there is counts as old now; as new it would be looked through at once
