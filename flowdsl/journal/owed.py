"""How paid requests ended where the journal did not take it, as the disk was full or another process held it: that is
handed in again with what is written next, and when the journal is closed. Until then they stand in it as in doubt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from flowdsl.journal.errors import JournalError

if TYPE_CHECKING:
    import sqlite3

Operation = Callable[["sqlite3.Connection"], Any]


class Owed:
    """What a journal's file is still to take. Writing any of it twice changes nothing."""

    def __init__(self, submit: Callable[..., Future[Any]]) -> None:
        self._submit = submit
        """What hands an operation to the file."""
        self._left: dict[bytes, tuple[Operation, Sequence[str]]] = {}
        self._lock = threading.Lock()  # the thread that writes says what failed, while another hands it in again

    def __len__(self) -> int:
        """Of how many requests the file did not take how they ended."""
        return len(self._left)

    def submit(
        self, request: bytes, operation: Operation, files: Sequence[str] = (), *, at_once: bool = True
    ) -> Future[Any]:
        """Has it written how a request ended, with the next commit; `files` are on the disk before. Where that fails it
        is kept.

        Raises:
            JournalError: the file is closed.
        """
        written = self._submit(operation, durable=False, files=files, at_once=at_once)
        written.add_done_callback(partial(self._done, request, operation, files))
        return written

    def again(self) -> None:
        """Hands in again what is left, with what is handed in next."""
        if not self._left:
            return
        with self._lock:
            left, self._left = self._left, {}
        for request, (operation, files) in left.items():
            try:
                self.submit(request, operation, files, at_once=False)
            except JournalError:
                self._keep(request, operation, files)

    def _done(self, request: bytes, operation: Operation, files: Sequence[str], written: Future[Any]) -> None:
        if written.exception() is not None:
            self._keep(request, operation, files)

    def _keep(self, request: bytes, operation: Operation, files: Sequence[str]) -> None:
        with self._lock:
            self._left[request] = operation, files
