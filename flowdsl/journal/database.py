"""The SQLite file of a journal: one thread writes, and what comes while it commits goes into the next commit together.

So a hundred requests that begin at once cost one sync of the disk, and the event loop never waits for one. Another
process may write the same file; the lock of SQLite is between them. `synchronous=FULL` in WAL mode: what a durable
commit says is on the disk when it returns, also after a loss of power, with all that was committed before it. What is
not durable waits for the next that is, but not longer than a moment.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from flowdsl.journal.errors import NAME, WITHOUT, JournalError, damaged, refused
from flowdsl.journal.owed import Owed
from flowdsl.journal.owners import Owners
from flowdsl.journal.place import make
from flowdsl.journal.synced import Synced, sync_file
from flowdsl.journal.tables import VERSION, migrate

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]
_PATIENCE_S = 30.0
_IMPATIENCE_S = 1.0
"""So long, when another process has just held the file for all of that time: it may stand still."""
_PAUSE_S = 0.005
_KEPT_OUT = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))
_READ_ONLY = ("readonly database", "unable to open")
"""What SQLite says of a file or a folder that it cannot write."""
_MOST_TOGETHER = 1000
_BEHIND_S = 0.2
"""So long what is not durable waits for a commit that is, before it is brought to the disk by itself."""


class _Waiting(NamedTuple):
    """An operation to be done, and where its result is waited for."""

    operation: Operation
    result: Future[Any]
    durable: bool
    at_once: bool


class Database:
    """A journal's file. It is opened by the first use, and any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        """The file."""
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None
        self._is_closing = self._is_over = False
        self._urgent = 0
        self._is_asleep = False
        self._alone = 0
        self._is_behind = False
        self._synced = Synced()
        self._reading = threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self.owed = Owed(self.submit)
        """How paid requests ended and it could not be written."""
        self.owners = Owners(folder)
        """Who has set money aside."""
        self.unpaced: dict[tuple[str, str], float] = {}
        """Until when, by the monotonic clock, nobody looks for the pace of a service and model: there was none."""

    @property
    def exists(self) -> bool:
        """Whether there is one yet."""
        return os.path.exists(self.path)  # noqa: PTH110  asked with each request

    def submit(
        self,
        operation: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = True,
        files: Sequence[str] = (),
        at_once: bool = True,
        after_files: bool = False,
    ) -> Future[T]:
        """Has an operation done in the next transaction, and gives its result after the commit. What is not `durable`
        may be lost with the power, in order: nothing later is kept then either. `files` are on the disk before. What
        need not be `at_once` makes no transaction of its own for a moment: it goes with what comes by then. What is
        done `after_files` comes after all that was handed in before, also what waits for its files still."""
        result: Future[T] = Future()
        result.set_running_or_notify_cancel()  # whoever waits may be cancelled, and what is handed in is done
        waiting = _Waiting(operation, result, durable, at_once)
        with self._changed:
            if self._is_closing:
                raise JournalError(f"the journal {self.path} is closed", code="journal-closed")
            if files or (after_files and self._synced.is_busy):
                self._synced.then(files, partial(self._on_disk, waiting))
            else:
                self._add(waiting)
        return result

    def _on_disk(self, waiting: _Waiting, error: Exception | None) -> None:
        """Goes on with an operation whose files the disk has taken."""
        if error is not None:
            failure = refused(self.folder, error if isinstance(error, OSError) else OSError(str(error)))
            failure.__cause__ = error
            waiting.result.set_exception(failure)
            return
        with self._changed:
            self._add(waiting)

    def _add(self, waiting: _Waiting) -> None:
        if self._writer is None:
            writer = threading.Thread(target=self._write, name="flowdsl-journal", daemon=True)
            writer.start()
            self._writer = writer
        self._waiting.append(waiting)
        self._urgent += waiting.at_once
        if waiting.at_once or self._is_asleep:
            self._changed.notify()

    async def write(
        self,
        operation: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = True,
        files: Sequence[str] = (),
        after_files: bool = False,
    ) -> T:
        """The same from an event loop. A caller that is cancelled does not take its operation back.

        Raises:
            JournalError: the file cannot be written.
        """
        return await asyncio.wrap_future(self.submit(operation, durable=durable, files=files, after_files=after_files))

    def read(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """The rows of a query, of what is committed; none where there is no file yet.

        Raises:
            JournalError: the file cannot be read.
        """
        if not self.exists:
            return []
        with self._reading:
            try:
                if self._is_closing:  # what is kept can be read still, and nothing stays open for it
                    with closing(self._to_read()) as connection:
                        return connection.execute(query, values).fetchall()
                if self._reader is None:
                    self._reader = self._to_read()
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
        self.owed.again()
        with self._changed:
            self._is_closing = True
        self._synced.close()
        with self._changed:
            self._is_over = True
            self._changed.notify()
        if self._writer is not None:
            self._writer.join()
        self.owners.close()
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _to_read(self) -> sqlite3.Connection:
        """The file, also where nothing can be written: a copy that is kept, or that of somebody else."""
        try:
            return self._opened()
        except (sqlite3.OperationalError, OSError) as error:
            found = self._unwritable(error)
            if found is None:
                raise
            return found

    def _unwritable(self, error: sqlite3.OperationalError | OSError) -> sqlite3.Connection | None:
        """The file where an error says that it cannot be written; None where that is not what is wrong, or where it
        would have to be written anew first."""
        is_other = isinstance(error, OSError) and error.errno not in _KEPT_OUT
        if is_other or (isinstance(error, sqlite3.Error) and not any(words in str(error) for words in _READ_ONLY)):
            return None
        log = Path(f"{self.path}-wal")
        is_whole = not log.exists() or not log.stat().st_size  # else what is not in the file yet is read from there
        address = f"{self.path.absolute().as_uri()}?mode=ro{'&immutable=1' * is_whole}"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
                return connection
        except sqlite3.Error:
            pass
        connection.close()
        return None

    def _opened(self) -> sqlite3.Connection:
        make(self.folder)
        with suppress(FileExistsError):  # its owner's alone, whoever may look into the folder
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        connection = sqlite3.connect(self.path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            if _is_foreign(connection):
                raise damaged(self.folder, "it is the database of another program")
            _turn_to_wal(connection)
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
        is_held = False
        while (group := self._group()) is not None:
            if not group:
                self._catch_up()
                continue
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
                if is_held:
                    is_held = _be_patient(connection)
                self._is_behind = not any(each.durable for each in group)
                for each, result in zip(group, results, strict=True):
                    each.result.set_result(result)
                continue
            if getattr(failure, "code", "") == "journal-busy":
                is_held = _be_patient(connection, _IMPATIENCE_S)  # as those that wait for an end need not wait again
            elif len(group) > 1:  # what one of them is refused for does not concern the others
                with self._changed:
                    self._alone += len(group)
                    self._waiting.extendleft(reversed(group))
                    self._urgent += sum(each.at_once for each in group)
                continue
            for each in group:
                each.result.set_exception(failure)
        self._catch_up()
        if connection is not None:
            connection.close()

    def _catch_up(self) -> None:
        """Brings to the disk what is committed and not durable. What that fails at is told with the next commit."""
        if self._is_behind:
            self._is_behind = False
            with suppress(OSError):
                sync_file(f"{self.path}-wal")

    def _group(self) -> list[_Waiting] | None:
        """What is to be committed together; nothing, when what is committed has waited long enough for the disk; None
        when the journal is closed and all is done."""
        with self._changed:
            is_quiet = False
            while not (self._urgent or self._alone):
                if self._is_over:
                    if not self._waiting:
                        return None
                    break
                self._is_asleep = is_quiet and not (self._waiting or self._is_behind)
                is_quiet = not self._changed.wait(None if self._is_asleep else _BEHIND_S)
                self._is_asleep = False
                if is_quiet and (self._waiting or self._is_behind):
                    break
            number = 1 if self._alone else min(len(self._waiting), _MOST_TOGETHER)
            self._alone -= bool(self._alone)
            group = [self._waiting.popleft() for _ in range(number)]
            self._urgent -= sum(each.at_once for each in group)
            return group


def _be_patient(connection: sqlite3.Connection | None, seconds: float = 0.0) -> bool:
    """Sets how long to wait for another process that holds the file; without `seconds` as long as at first. Whether
    it is less than that."""
    if connection is not None:
        connection.execute(f"PRAGMA busy_timeout = {round(1000 * (seconds or _PATIENCE_S))}")
    return bool(seconds)


def _turn_to_wal(connection: sqlite3.Connection) -> None:
    """Has the file be in WAL mode. For this alone SQLite does not wait for another process that does it too."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(_PAUSE_S)


def _is_foreign(connection: sqlite3.Connection) -> bool:
    """Whether a file holds tables of somebody else."""
    connection.execute("BEGIN")  # another process may be making the tables at this moment
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.execute("COMMIT")
    return bool(version or tables) and not (version and "ledger" in tables)


def _committed(connection: sqlite3.Connection, group: Sequence[_Waiting]) -> list[Any]:
    with _synchronous(connection, any(each.durable for each in group)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [each.operation(connection) for each in group]
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
