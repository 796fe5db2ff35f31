"""Garbage is collected rarely while a command reads files and imports modules: nearly all of it stays. At the end of a
process that has nothing to tidy up, the interpreter does not take itself apart either."""

from __future__ import annotations

import gc
import os
import sys
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


def end_process(code: int) -> None:
    """Ends the process at once if nobody waits for its end, which takes a twentieth of a short command.

    All that is written is flushed. Where `atexit` was never imported nobody has left work for the end, and a thread or
    whoever looks at the process from inside, such as a profiler, sees the end as ever.
    """
    watched = sys.gettrace() is not None or sys.getprofile() is not None or sys.flags.interactive or sys.flags.inspect
    if not watched and sys.modules.keys().isdisjoint({"atexit", "threading"}):
        os._exit(code)
