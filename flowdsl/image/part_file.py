"""Files that are still being written: each has a name of its own, and a lock as long as its writer lives."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from random import Random

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # the platform has no such module

PART = ".part"
"""How their names end."""
_CHANCE = Random()
_ABANDONED_S = 24 * 3600
_SWEPT: dict[str, float] = {}
"""When this process last looked for what killed processes left, by folder."""
_SWEPT_FOR_S = 600.0
_MOST_SWEPT = 1000
_TRIED: dict[str, float] = {}
"""When this process last made a part file to see whether it can, by folder."""
_TRIED_FOR_S = 5.0


def open_part(folder: Path) -> tuple[Path, int]:
    """A new part file, and a descriptor that holds its lock as long as this process lives."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        part = folder / f".{_CHANCE.getrandbits(64):016x}{PART}"
        try:
            descriptor = os.open(part, flags, 0o644)
        except FileExistsError:  # a process that was forked draws the same
            continue
        # Between the opening and the lock a sweep can take the file for one that was left: it holds the lock, or the
        # file is gone. Then there is another one to be made.
        if lock(descriptor) is not False and (os.name == "nt" or os.fstat(descriptor).st_nlink):
            return part, descriptor
        os.close(descriptor)


def try_folder(folder: Path) -> None:
    """Makes a part file and removes it: not again for a moment, as a batch asks it with each record.

    Raises:
        OSError: the folder takes none.
    """
    if _is_due(_TRIED, folder, _TRIED_FOR_S):
        try:
            part, descriptor = open_part(folder)
            os.close(descriptor)
            part.unlink()
        except OSError:
            forget_try(folder)
            raise


def forget_try(folder: Path) -> None:
    """A folder has refused something: it is tried again before the next is paid for."""
    _TRIED.pop(str(folder), None)  # gone already where another thread has cleared them all


def _is_due(times: dict[str, float], folder: Path, after_s: float) -> bool:
    """Whether something was not done with a folder for so long; then it is now."""
    key, now = str(folder), time.monotonic()
    if now < times.get(key, -after_s) + after_s:
        return False
    if len(times) >= _MOST_SWEPT:
        times.clear()
    times[key] = now
    return True


def sweep(folder: Path) -> None:
    """Removes what killed processes left: not again for some time, for a folder of many pictures takes long to read."""
    if not _is_due(_SWEPT, folder, _SWEPT_FOR_S):
        return
    with os.scandir(folder) as found:
        names = [each.name for each in found if each.name.endswith(PART) and each.name.startswith(".")]
    for name in names:
        with contextlib.suppress(OSError):  # its writer lives, or somebody else swept it
            descriptor = os.open(folder / name, os.O_RDWR)
            try:
                if _is_abandoned(descriptor):
                    (folder / name).unlink()  # under the lock: a writer that has just made it sees that it is gone
            finally:
                os.close(descriptor)


def _is_abandoned(descriptor: int) -> bool:
    """Whether nobody writes a part file any more. Where there are no locks, that is when it has not grown for long."""
    held = lock(descriptor)
    return time.time() - os.fstat(descriptor).st_mtime > _ABANDONED_S if held is None else held


def lock(descriptor: int) -> bool | None:
    """Takes the lock of a file; False when another process or thread has it, None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without them
        return None
    return True
