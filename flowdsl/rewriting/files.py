"""The one way in which a file that is changed or made gets to the disk: whole, or not at all.

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


def put(path: str, content: bytes, *, mode: int = 0o666) -> None:
    """Writes a file whatever it held: a report, a drawing. Its folder is made where it is not there. A link stays one:
    what it leads to is written. What is no plain file, such as /dev/stderr, takes the bytes as they are. `mode` is that
    of a file which was not there, less the umask.

    Raises:
        OSError: the file is as it was, or not there; the error says why.
    """
    target = _target(path)
    try:
        status = os.stat(target)  # noqa: PTH116  pathlib is slow to import
    except FileNotFoundError:
        status = None
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    if status is not None and not stat.S_ISREG(status.st_mode):
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(content)
        return
    if status is not None and (not status.st_mode & 0o222 or not os.access(target, os.W_OK)):
        raise _refused(path, "it is read-only, and stays as it is")
    with _beside(target) as new:
        _write_new(new, path, content, status, mode)
        os.replace(new, target)  # noqa: PTH105
    with contextlib.suppress(OSError):
        _sync_folder(os.path.dirname(target))  # noqa: PTH120


def put_new(path: str, content: bytes) -> None:
    """Writes a file that is not there yet, in a folder that is.

    Raises:
        FileExistsError: something has that name, be it a link to nowhere.
        OSError: it cannot be written, and is not there.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    target = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))  # noqa: PTH118, PTH119, PTH120
    with _beside(target) as new:
        _write_new(new, path, content, None, 0o666)
        try:
            os.link(new, target)  # of two processes that make it, one is refused
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
            os.replace(new, target)  # noqa: PTH105


def _target(path: str) -> str:
    """What a path leads to over all its links."""
    target = os.path.realpath(path)
    if os.path.islink(target):  # noqa: PTH114
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return target


@contextlib.contextmanager
def _beside(target: str) -> Iterator[str]:
    """The path for a new file beside another one, which is gone at the end, whatever ends it: Ctrl-C too leaves nothing
    behind, as the path is known before there is a file, and what removes it is begun again where Ctrl-C hits that."""
    folder, name = os.path.split(target)
    new = os.path.join(folder, f".{name[:50]}.{os.urandom(6).hex()}.tmp")  # noqa: PTH118  pathlib is slow to import
    try:
        yield new
    finally:
        try:  # nothing is called before it: where a call begins, Ctrl-C may be heard
            _remove(new)
        except KeyboardInterrupt:
            _remove(new)
            raise


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108


def _opened(new: str, mode: int) -> int:
    return os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)


def _write_new(new: str, path: str, content: bytes, status: os.stat_result | None, mode: int) -> None:
    """Writes bytes to a new file.

    Raises:
        OSError: it cannot be written.
    """
    try:
        descriptor = _opened(new, mode if status is None else 0o600)
        try:
            _fill(descriptor, content)
            if status is not None:
                with contextlib.suppress(OSError):
                    _keep_owner(descriptor, path, status)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), path) from error


def _replace(target: str, path: str, before: bytes, after: bytes, status: os.stat_result) -> None:
    with _beside(target) as new:
        try:
            descriptor = _opened(new, 0o600)
        except OSError as error:
            raise _refused(path, f"nothing can be written beside it ({error.strerror}); it stays as it is") from error
        try:
            _fill(descriptor, after)
            _keep_owner(descriptor, path, status)
        finally:
            os.close(descriptor)
        if read_file(target) != before:
            raise _changed(path)
        os.replace(new, target)  # noqa: PTH105
    with contextlib.suppress(OSError):  # what has a folder's name only, not its entries, is safe already
        _sync_folder(os.path.dirname(target))  # noqa: PTH120


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
