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
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_KERNEL = ("/proc/", "/sys/")
"""What lies there looks like regular files, and is not: the kernel makes it up."""

ROOT_MARKS = ("flowdsl.toml", "pyproject.toml", ".git")
"""What marks the root of a project."""


def project_root(folder: str) -> str:
    """The nearest folder, from this one upwards, that holds a mark of a project's root; else the folder itself."""
    start = folder = os.path.realpath(folder)
    while True:
        if any(os.path.exists(os.path.join(folder, mark)) for mark in ROOT_MARKS):  # noqa: PTH110, PTH118
            return folder
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return start
        folder = parent


def read_file(path: str, inside: str | None = None) -> bytes:
    """The bytes of a regular file; with `inside`, of one that lies in that folder when links are followed.

    Raises:
        OSError: it is no regular file, is too large, lies elsewhere, or cannot be read. It never waits.
    """
    if inside is not None and not lies_in(os.path.realpath(path), os.path.realpath(inside)):
        raise _refused(path, "it is a link that leads out of the folder")
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(status.st_mode) or _real(descriptor, path).startswith(_KERNEL):
            raise _refused(path, "it is no regular file")
        size = status.st_size
        content = os.read(descriptor, size + 1) if size <= LARGEST else b""
        if len(content) != size:
            content += _rest(descriptor, len(content))
    finally:
        os.close(descriptor)
    if max(size, len(content)) > LARGEST:
        raise _refused(path, f"it is larger than {LARGEST // 1024**2} MiB")
    if content and not size:
        raise _refused(path, "it is no regular file")  # a file system of the kernel's, wherever it is mounted
    return content


def _real(descriptor: int, path: str) -> str:
    """The path without links of an open file. Linux knows it, which is faster than to follow the links."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115  pathlib is slow to import
    except OSError:
        return os.path.realpath(path)


def _rest(descriptor: int, read: int) -> bytes:
    """What follows in a file that changes while it is read, or hides its size; no more than is needed to see that it
    is too large."""
    parts = []
    while read <= LARGEST and (part := os.read(descriptor, 1024 * 1024)):
        parts.append(part)
        read += len(part)
    return b"".join(parts)


def lies_in(real: str, folder: str) -> bool:
    """Whether a path without links is a folder, or lies in it."""
    return real == folder or real.startswith(folder.rstrip(os.sep) + os.sep)


def _refused(path: str, why: str) -> OSError:
    return OSError(errno.EINVAL, why, path)
