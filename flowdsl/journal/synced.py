"""Files that the disk has taken, with their names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


class Synced:
    """Brings files to the disk, and remembers of which folders the names are there already."""

    def __init__(self) -> None:
        self._folders: set[str] = set()

    def sync(self, paths: Iterable[str]) -> None:
        """Has the disk take files, and then their names, in each folder once.

        Raises:
            OSError: it does not.
        """
        distinct = dict.fromkeys(paths)
        for path in distinct:
            sync_file(path)
        for folder in dict.fromkeys(str(Path(path).parent) for path in distinct):
            sync_folder(folder)
            if folder not in self._folders:  # its own name, and those around it, which may be as new
                sync_names(folder)
                self._folders.add(folder)


def sync_names(folder: str) -> None:
    """Has the disk take the names that lead to a folder, as far as one may look at what is around it."""
    with suppress(OSError):
        for around in Path(folder).parents:
            sync_folder(str(around))


def sync_folder(folder: str) -> None:
    """Has the disk take the names in a folder; where folders are no files, the system does that itself.

    Raises:
        OSError: it does not.
    """
    if os.name != "nt":
        sync_file(folder)


def sync_file(path: str) -> None:
    """Has the disk take one file.

    Raises:
        OSError: it does not.
    """
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0) if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
