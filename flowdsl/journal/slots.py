"""Places for requests at the same time, over all processes that share a journal: each place is the lock of a file.

The system gives a lock back when its process ends, however that happens, and to nobody before: a process that stands
still keeps its places, as its requests may be under way. Of those that wait in one event loop only the first one looks
for a place that is free: a hundred of them, each looking at a hundred files, would leave the loop no time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

from flowdsl.image.part_file import lock
from flowdsl.journal.errors import refused
from flowdsl.journal.place import make

_FOLDER = "slots"
_WAITING = "waiting"
"""The lock of one that looks for a place and has not found one yet."""
_FIRST_S, _LONGEST_S = 0.005, 0.1


class _Places:
    """The places of a service in a folder, as one event loop sees them."""

    def __init__(self) -> None:
        self.queue = asyncio.Lock()
        self.held: set[int] = set()


_OF_LOOPS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Path, _Places]] = WeakKeyDictionary()


@asynccontextmanager
async def slot(folder: Path, service: str, most: int) -> AsyncIterator[None]:
    """One of the places of a service, in a journal's folder; waits until one is free.

    Raises:
        JournalError: the folder cannot be written.
    """
    own = folder / _FOLDER / hashlib.sha256(service.encode()).hexdigest()[:16]
    places = _OF_LOOPS.setdefault(asyncio.get_running_loop(), {}).setdefault(own, _Places())
    async with places.queue:
        waits: int | None = None
        try:
            make(folder)
            own.mkdir(0o700, parents=True, exist_ok=True)
            if (waits := _locked(own / _WAITING)) is None:
                await _pause(_LONGEST_S)  # whoever waits elsewhere comes first, or would never come while we go on
            pause_s = _FIRST_S
            while (taken := _taken(own, most, places.held)) is None:
                waits = waits or _locked(own / _WAITING)
                await _pause(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_S)
        except OSError as error:
            raise refused(folder, error) from error
        finally:
            if waits is not None:
                os.close(waits)
        number, descriptor = taken
        places.held.add(number)
    try:
        yield
    finally:
        places.held.discard(number)
        os.close(descriptor)


async def _pause(most_s: float) -> None:
    await asyncio.sleep(most_s * random.uniform(0.5, 1.0))


def _taken(own: Path, most: int, held: Set[int]) -> tuple[int, int] | None:
    """A place that is free, with the descriptor that holds it from now on; None where all are taken. Without locks
    each process has all of them."""
    first = random.randrange(most)
    for place in range(first, first + most):
        number = place % most
        if number not in held and (descriptor := _locked(own / str(number))) is not None:
            return number, descriptor
    return None


def _locked(path: Path) -> int | None:
    """The descriptor that holds the lock of a file; None when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if lock(descriptor) is not False:
        return descriptor
    os.close(descriptor)
    return None
