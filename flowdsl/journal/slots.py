"""Places for requests at the same time, over all processes that share a journal: each place is the lock of a file.

The system gives a lock back when its process ends, however that happens, and to nobody before: a process that stands
still keeps its places, as its requests may be under way.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from flowdsl.image.part_file import lock
from flowdsl.journal.errors import refused
from flowdsl.journal.place import make

_FOLDER = "slots"
_FIRST_S, _LONGEST_S = 0.005, 0.1


@asynccontextmanager
async def slot(folder: Path, service: str, most: int) -> AsyncIterator[None]:
    """One of the places of a service, in a journal's folder; waits until one is free.

    Raises:
        JournalError: the folder cannot be written.
    """
    own = folder / _FOLDER / hashlib.sha256(service.encode()).hexdigest()[:16]
    try:
        make(folder)
        own.mkdir(0o700, parents=True, exist_ok=True)
        pause_s = _FIRST_S
        while (held := _taken(own, most)) is None:
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LONGEST_S)
    except OSError as error:
        raise refused(folder, error) from error
    try:
        yield
    finally:
        os.close(held)


def _taken(own: Path, most: int) -> int | None:
    """The descriptor that holds a place; None where all are taken. Without locks each process has all of them."""
    first = random.randrange(most)
    for number in range(most):
        descriptor = os.open(own / str((first + number) % most), os.O_RDWR | os.O_CREAT, 0o600)
        if lock(descriptor) is not False:
            return descriptor
        os.close(descriptor)
    return None
