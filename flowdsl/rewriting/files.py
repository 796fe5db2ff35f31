"""The one way in which a changed file gets to the disk: whole, or not at all.

The new text is written beside the file and takes its place with a rename, so that whoever reads it sees the old text or
the new one, and a process that dies leaves the old one. Refused is what a rename would lose: a file that is read-only,
one with several names, one that somebody has changed since it was read, one whose owner it could not keep.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from flowdsl.syntax.opened import read_file

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # the platform has no such module


def rewrite(path: str, before: bytes, after: bytes) -> None:
    """Puts new bytes in place of those that a file had when it was read. A link stays one: what it leads to is written.

    Raises:
        OSError: the file stays as it is; the error says why.
    """
    target = os.path.realpath(path)
    with _locked(target, path) as status:
        if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
            raise _refused(path, "it is read-only, and stays as it is")
        if status.st_nlink > 1:
            raise _refused(path, "it has several names (hard links), of which only one would change; it stays as it is")
        _replace(target, path, before, after, status)


def _replace(target: str, path: str, before: bytes, after: bytes, status: os.stat_result) -> None:
    folder, name = os.path.split(target)
    new = os.path.join(folder, f".{name[:200]}.{os.getpid()}.tmp")  # noqa: PTH118  pathlib is slow to import
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(new, flags, 0o600)
    except OSError as error:
        raise _refused(path, f"nothing can be written beside it ({error.strerror}); it stays as it is") from error
    try:
        try:
            _fill(descriptor, after)
            _keep_owner(descriptor, path, status)
        finally:
            os.close(descriptor)
        if read_file(target) != before:
            raise _changed(path)
        os.replace(new, target)  # noqa: PTH105
    except BaseException:  # Ctrl-C too leaves nothing behind
        with contextlib.suppress(OSError):
            os.unlink(new)  # noqa: PTH108
        raise
    with contextlib.suppress(OSError):  # what has a folder's name only, not its entries, is safe already
        _sync_folder(folder)


def _fill(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _keep_owner(descriptor: int, path: str, status: os.stat_result) -> None:
    """Gives the new file the owner and the mode of the old one."""
    if hasattr(os, "fchown") and _owner(os.fstat(descriptor)) != _owner(status):
        try:
            os.fchown(descriptor, status.st_uid, status.st_gid)
        except OSError as error:
            raise _refused(path, "it belongs to somebody else, which could not be kept; it stays as it is") from error
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _owner(status: os.stat_result) -> tuple[int, int]:
    return status.st_uid, status.st_gid


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(target: str, path: str) -> Iterator[os.stat_result]:
    """Keeps other processes of ours from writing a file: one of two that want to is refused, or comes after the other
    and sees another file."""
    descriptor = os.open(target, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _refused(path, "another process is writing it; it stays as it is") from None
            except OSError:  # a file system without locks: what is left is the look at its content
                pass
        status, now = os.fstat(descriptor), os.stat(target)  # noqa: PTH116
        if (status.st_dev, status.st_ino) != (now.st_dev, now.st_ino):
            raise _changed(path)
        yield status
    finally:
        os.close(descriptor)


def _changed(path: str) -> OSError:
    return _refused(path, "it has changed since it was read, and stays as it is now; run the command again")


def _refused(path: str, why: str) -> OSError:
    return OSError(errno.EPERM, why, path)
