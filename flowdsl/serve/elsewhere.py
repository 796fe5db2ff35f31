"""Runs of flows that another process of a gateway works on: whether they go on, and how they are told to end.

A run holds the lock of a file as long as it goes on, whose name only its owner knows; one that is to end has a file of
the same name in another folder, which the process that works on it looks for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from flowdsl.journal.place import make

if TYPE_CHECKING:
    from flowdsl.journal.journal import Journal

LOOK_S = 0.2
"""So often a process looks for those of its runs that are to end."""
PATIENCE_S = 30.0
_LEFT_S = 2 * PATIENCE_S
_FOLDER = "ending"


def place_of(id: str, owner: str) -> str:
    """The name by which a run is known to other processes."""
    return f"flow-{hashlib.sha256(json.dumps([id, owner]).encode()).hexdigest()[:40]}"


def to_end(journal: Journal) -> list[str]:
    """The places of runs that are to end. What somebody left who was killed while he waited for that ends none: a run
    with the same key would be ended whenever it is asked for."""
    found = []
    try:
        for file in (journal.folder / _FOLDER).iterdir():
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > _LEFT_S:
                    file.unlink()
                else:
                    found.append(file.name)
    except OSError:
        return found
    return found


async def end(journal: Journal, place: str) -> bool:
    """Has the run of a place ended by the process that works on it; False where it goes on nevertheless.

    Raises:
        OSError: the folder cannot be written.
    """
    make(journal.folder)
    file = journal.folder / _FOLDER / place
    file.parent.mkdir(0o700, exist_ok=True)
    file.touch(0o600)
    try:
        end = time.monotonic() + PATIENCE_S
        while is_on := journal.running.goes_on(place):
            if time.monotonic() > end:
                break
            await asyncio.sleep(LOOK_S)
        return not is_on
    finally:
        file.unlink(missing_ok=True)
