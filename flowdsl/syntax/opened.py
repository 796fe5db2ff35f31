"""The bytes of a file that somebody names: of a regular file only, and not of one without end.

A path may come from a stranger's folder, where `a.flow.yaml` can be a link to a device, to a pipe that nobody writes
to, or to what the kernel says about this process and its environment. None of them is ever opened to be read.
"""

from __future__ import annotations

import errno
import os
import stat

LARGEST = 32 * 1024 * 1024
"""A flow, a module, a settings file or a file of inputs with more bytes is not read."""
_KERNEL = ("/proc/", "/sys/")
"""What lies there looks like regular files, and is not: the kernel makes it up."""


def read_file(path: str, inside: str | None = None) -> bytes:
    """The bytes of a regular file; with `inside`, of one that lies in that folder when links are followed.

    Raises:
        OSError: it is no regular file, is too large, lies elsewhere, or cannot be read. It never waits.
    """
    real = os.path.realpath(path)
    if real.startswith(_KERNEL):
        raise _refused(path, "it is no regular file")
    if inside is not None and not lies_in(real, os.path.realpath(inside)):
        raise _refused(path, "it is a link that leads out of the folder")
    try:
        descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except OSError as error:
        error.filename = path
        raise
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    with open(descriptor, "rb") as file:  # noqa: PTH123  pathlib is slow to import
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "it is no regular file")
        content = file.read(LARGEST + 1) if status.st_size <= LARGEST else b""
    if status.st_size > LARGEST or len(content) > LARGEST:
        raise _refused(path, f"it is larger than {LARGEST // 1024**2} MiB")
    if content and not status.st_size:
        raise _refused(path, "it is no regular file")  # a file system of the kernel's, wherever it is mounted
    return content


def lies_in(real: str, folder: str) -> bool:
    """Whether a path without links is a folder, or lies in it."""
    return real == folder or real.startswith(folder.rstrip(os.sep) + os.sep)


def _refused(path: str, why: str) -> OSError:
    return OSError(errno.EINVAL, why, path)
