"""Files that the disk has taken, with their names."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


_MOST_AT_ONCE = 16
_FEW = 16
"""Fewer go one after the other: where the disk is fast, threads cost more than it does, and where it is slow, more
files wait for it together."""


_FAILURES = (OSError, RuntimeError, ValueError)
"""The second where no more threads can be started: nobody would hear of the others."""
_Waiting = tuple[Sequence[str], Callable[[Exception | None], None]]


class Synced:
    """Brings files to the disk, in a thread of its own: what is committed meanwhile does not wait for them."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._left = 0
        self._files = SyncedFiles()

    @property
    def is_busy(self) -> bool:
        """Whether something was handed in and has not been told yet."""
        return bool(self._left)

    def then(self, files: Sequence[str], act: Callable[[Exception | None], None]) -> None:
        """Has `act` called when the disk has taken files and their names, or with why it has not; one after the other,
        as they were handed in."""
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._sync, name="flowdsl-files", daemon=True)
                thread.start()
                self._thread = thread
            self._waiting.append((files, act))
            self._left += 1
            self._changed.notify()

    def close(self) -> None:
        """Waits for those that were handed in."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._files.close()

    def _sync(self) -> None:
        while group := self._group():
            try:
                self._files.sync(path for files, _ in group for path in files)
            except _FAILURES:
                for files, act in group:  # what one of them is refused for does not concern the others
                    act(self._failure(files))
            else:
                for _, act in group:
                    act(None)
            with self._changed:
                self._left -= len(group)

    def _failure(self, files: Sequence[str]) -> Exception | None:
        try:
            self._files.sync(files)
        except _FAILURES as error:
            return error
        return None

    def _group(self) -> list[_Waiting]:
        """All that wait; nothing when it is closed and all is done."""
        with self._changed:
            while not (self._waiting or self._is_closing):
                self._changed.wait()
            group = [*self._waiting]
            self._waiting.clear()
            return group


class SyncedFiles:
    """Files on the disk, and the folders of which the names are there already. Many files go side by side: they share
    what the file system does for each, and take a tenth of the time."""

    def __init__(self) -> None:
        self._folders: set[str] = set()
        self._threads: ThreadPoolExecutor | None = None

    def sync(self, paths: Iterable[str]) -> None:
        """Has the disk take files, and then their names, in each folder once. Of what somebody has removed meanwhile
        there is nothing to take.

        Raises:
            OSError: it does not.
        """
        distinct = dict.fromkeys(paths)
        if len(distinct) < _FEW:
            for path in distinct:
                _sync_if_there(path)
        else:
            for _ in self._side_by_side().map(_sync_if_there, distinct):
                pass
        for folder in dict.fromkeys(str(Path(path).parent) for path in distinct):
            with suppress(FileNotFoundError):
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


def _sync_if_there(path: str) -> None:
    with suppress(FileNotFoundError):
        sync_file(path)


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
