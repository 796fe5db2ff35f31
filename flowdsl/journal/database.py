"""The SQLite file of a journal: one thread writes, and what comes while it commits goes into the next commit together.

So a hundred requests that begin at once cost one sync of the disk, and the event loop never waits for one. Another
process may write the same file; the lock of SQLite is between them. `synchronous=FULL` in WAL mode: what a commit says
is on the disk when it returns, also after a loss of power.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from flowdsl.journal.errors import NAME, WITHOUT, JournalError, refused
from flowdsl.journal.place import make
from flowdsl.journal.tables import VERSION, migrate

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]
_PATIENCE_S = 30.0
_MOST_TOGETHER = 1000


class Database:
    """A journal's file. It is opened by the first use, and any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: deque[tuple[Operation, Future[Any], bool]] = deque()
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None
        self._is_closing = False
        self._alone = 0
        self._reading = threading.Lock()
        self._reader: sqlite3.Connection | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / NAME

    @property
    def exists(self) -> bool:
        """Whether there is one yet."""
        return self.path.exists()

    def submit(self, operation: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> Future[T]:
        """Has an operation done in the next transaction, and gives its result after the commit. What is not `durable`
        may be lost with the power, in order: nothing later is kept then either."""
        result: Future[T] = Future()
        with self._changed:
            if self._is_closing:
                raise JournalError(f"the journal {self.path} is closed", code="journal-closed")
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="flowdsl-journal", daemon=True)
                self._writer.start()
            self._waiting.append((operation, result, durable))
            self._changed.notify()
        return result

    async def write(self, operation: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """The same from an event loop. A caller that is cancelled does not take its operation back.

        Raises:
            JournalError: the file cannot be written.
        """
        return await asyncio.wrap_future(self.submit(operation, durable=durable))

    def read(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """The rows of a query, of what is committed; none where there is no file yet.

        Raises:
            JournalError: the file cannot be read.
        """
        if not self.exists:
            return []
        with self._reading:
            try:
                if self._reader is None:
                    self._reader = self._opened()
                return self._reader.execute(query, values).fetchall()
            except (sqlite3.Error, OSError) as error:
                raise refused(self.folder, error) from error

    def vacuum(self) -> None:
        """Gives the disk back what rows that are gone took.

        Raises:
            JournalError: the file cannot be written.
        """
        if not self.exists:
            return
        try:
            with closing(self._opened()) as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except (sqlite3.Error, OSError) as error:
            raise refused(self.folder, error) from error

    def close(self) -> None:
        """Waits for what was handed in, and closes the file. Nothing happens a second time."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._writer is not None:
            self._writer.join()
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> sqlite3.Connection:
        make(self.folder)
        connection = sqlite3.connect(self.path, _PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection)
        except ValueError as error:
            connection.close()
            raise JournalError(
                f"the journal {self.path} has version {error}, and this flowdsl knows {VERSION}",
                code="journal-newer",
                hint=f"upgrade flowdsl: a newer one has written it. {WITHOUT}",
            ) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _write(self) -> None:
        connection: sqlite3.Connection | None = None
        while (group := self._group()) is not None:
            try:
                if connection is None:
                    connection = self._opened()
                results = _committed(connection, group)
            except JournalError as error:
                failure: BaseException = error
            except (sqlite3.Error, OSError) as error:
                failure = refused(self.folder, error)
                failure.__cause__ = error
            except BaseException as error:  # noqa: BLE001  an operation of ours that is wrong: whoever waits must know
                failure = error
            else:
                for (_, future, _), result in zip(group, results, strict=True):
                    future.set_result(result)
                continue
            if len(group) > 1:  # what one of them is refused for does not concern the others
                with self._changed:
                    self._alone += len(group)
                    self._waiting.extendleft(reversed(group))
                continue
            for _, future, _ in group:
                future.set_exception(failure)
        if connection is not None:
            connection.close()

    def _group(self) -> list[tuple[Operation, Future[Any], bool]] | None:
        """What is to be committed together; None when the journal is closed and all is done."""
        with self._changed:
            while not self._waiting:
                if self._is_closing:
                    return None
                self._changed.wait()
            if self._alone:
                self._alone -= 1
                return [self._waiting.popleft()]
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]


def _committed(connection: sqlite3.Connection, group: Sequence[tuple[Operation, Future[Any], bool]]) -> list[Any]:
    durable = any(is_durable for _, _, is_durable in group)
    with _synchronous(connection, durable):
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [operation(connection) for operation, _, _ in group]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results


@contextmanager
def _synchronous(connection: sqlite3.Connection, durable: bool) -> Iterator[None]:
    if durable:
        yield
        return
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous = FULL")
