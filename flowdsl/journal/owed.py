"""How paid requests and runs ended, and what they spent of a day's money, where the journal did not take it, as the
disk was full or another process held it: that is handed in again with what is written next, and when the journal is
closed. Until then the requests stand in it as in doubt, the runs as killed, and what was set aside as spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from flowdsl.journal.errors import JournalError

if TYPE_CHECKING:
    import sqlite3

_NUMBERS = count()
_PAUSE_S = 0.001
Operation = Callable[["sqlite3.Connection"], Any]


class Owed:
    """What a journal's file is still to take: nothing of what failed was written."""

    def __init__(self, submit: Callable[..., Future[Any]]) -> None:
        self._submit = submit
        """What hands an operation to the file."""
        self._left: dict[bytes | str, tuple[Operation, Sequence[str]]] = {}
        self._under_way: dict[bytes | str, Future[Any]] = {}

    def __len__(self) -> int:
        """Of how many requests the file did not take how they ended."""
        return sum(isinstance(key, bytes) for key in {*self._left, *self._under_way})

    def settle(self) -> None:
        """Waits for those that are handed in again: they are written, or left."""
        while self._under_way:
            wait([*self._under_way.values()])
            time.sleep(_PAUSE_S)  # who waits goes on before what became of it is noted

    def submit(
        self,
        key: bytes | str,
        operation: Operation,
        files: Sequence[str] = (),
        *,
        again: Operation | None = None,
        at_once: bool = True,
        after_files: bool = False,
    ) -> Future[Any]:
        """Has it written how a request ended, or what a text names, with the next commit; `files` are on the disk
        before. Where that fails it is kept, or what does it `again`. `after_files` as the file has it.

        Raises:
            JournalError: the file is closed.
        """
        written = self._submit(operation, durable=False, files=files, at_once=at_once, after_files=after_files)
        written.add_done_callback(partial(self._done, key, again or operation, files))
        return written

    def change(self, operation: Operation) -> None:
        """The same of a sum that changes: each change counts."""
        self.submit(f"change {next(_NUMBERS)}", operation)

    def again(self) -> bool:
        """Hands in again what is left, with what is handed in next; whether that is anything."""
        is_any = False
        for key in [*self._left]:  # the thread that writes may add others meanwhile
            if (left := self._left.pop(key, None)) is not None:
                is_any = True
                try:
                    again = self.submit(key, *left, at_once=False)
                except JournalError:
                    self._left[key] = left
                else:
                    self._under_way[key] = again
                    again.add_done_callback(partial(self._tried, key))
        return is_any

    def _tried(self, key: bytes | str, _: Future[Any]) -> None:
        self._under_way.pop(key, None)

    def _done(self, key: bytes | str, operation: Operation, files: Sequence[str], written: Future[Any]) -> None:
        if written.exception() is not None:
            self._left[key] = operation, files
