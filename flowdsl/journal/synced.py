"""Files that the disk has taken, with their names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


_MOST_AT_ONCE = 16
_FEW = 16
"""Fewer go one after the other: where the disk is fast, threads cost more than it does, and where it is slow, more
files wait for it together."""


class Synced:
    """Brings files to the disk, and remembers of which folders the names are there already. Many files go side by side:
    they share what the file system does for each, and take a tenth of the time."""

    def __init__(self) -> None:
        self._folders: set[str] = set()
        self._threads: ThreadPoolExecutor | None = None

    def sync(self, paths: Iterable[str]) -> None:
        """Has the disk take files, and then their names, in each folder once.

        Raises:
            OSError: it does not.
        """
        distinct = dict.fromkeys(paths)
        if len(distinct) < _FEW:
            for path in distinct:
                sync_file(path)
        else:
            for _ in self._side_by_side().map(sync_file, distinct):
                pass
        for folder in dict.fromkeys(str(Path(path).parent) for path in distinct):
            sync_folder(folder)
            if folder not in self._folders:  # its own name, and those around it, which may be as new
                sync_names(folder)
                self._folders.add(folder)

    def _side_by_side(self) -> ThreadPoolExecutor:
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor  # slow to import, and most runs make few pictures

            self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, "flowdsl-sync")
        return self._threads

    def close(self) -> None:
        """Ends its threads."""
        if self._threads is not None:
            self._threads.shutdown()


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
