"""The manifest of a folder of pictures: `manifest.json`, one line for each picture, of all runs.

A run adds its lines at its end. It does so under a lock, and to a copy that then takes the name, so that runs side by
side lose nothing and a reader sees whole JSON at any time. What is no manifest of ours is never written over, and where
a file system has no locks a run writes a manifest of its own, `manifest-RUN.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from errno import EEXIST
from pathlib import Path
from typing import Any, BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = "manifest.json"
VERSION = 1
_HEAD = f'{{"version": {VERSION}, "images": [\n'.encode()
_TAIL = b"\n]}\n"
_BLOCK = 1024 * 1024
_MOST_REWRITTEN = 64 * 1024 * 1024
_PATIENCE_S = 10.0
_PAUSE_S = 0.01


class ForeignManifest(Exception):
    """A file of that name which is no manifest of ours."""


def add_to_manifest(folder: Path, lock: Path, run: str, images: Sequence[Mapping[str, Any]]) -> Path:
    """Adds pictures to the manifest of a folder; gives its path.

    Raises:
        OSError: the folder takes no file.
    """
    lines = b",\n".join(json.dumps(image, ensure_ascii=False).encode("utf-8", "replace") for image in images)
    with _locked(lock) as is_locked, contextlib.suppress(ForeignManifest):
        if is_locked:
            return _added(folder / NAME, lines, run)
    try:
        return _added(folder / f"manifest-{run}.json", lines, run)  # a host may give several runs one id
    except ForeignManifest as error:
        raise FileExistsError(EEXIST, f"neither {NAME} nor manifest-{run}.json is a manifest of pictures") from error


def _added(path: Path, lines: bytes, run: str) -> Path:
    part = path.with_name(f".manifest-{run}.part")
    try:
        with part.open("wb") as new:
            try:
                with _opened(path) as old:
                    _copy_begun(old, new)
                    new.write(b",\n")
            except FileNotFoundError:
                new.write(_HEAD)
            new.write(lines + _TAIL)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _opened(path: Path) -> BinaryIO:
    """A manifest to be read: a file, for no run makes a link, a folder or a pipe of that name.

    Raises:
        FileNotFoundError: there is none yet.
        ForeignManifest: it is no file, or not for us to read.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ForeignManifest
    try:
        return path.open("rb")
    except PermissionError as error:
        raise ForeignManifest from error


def _copy_begun(old: BinaryIO, new: BinaryIO) -> None:
    """Copies a manifest up to the end of its list: its lines are not read, however many there are.

    Raises:
        ForeignManifest: it is not written as ours are.
    """
    left = old.seek(0, 2) - len(_TAIL)
    old.seek(max(0, left))
    tail = old.read()
    old.seek(0)
    if left <= len(_HEAD) or tail != _TAIL or old.read(len(_HEAD)) != _HEAD:
        old.seek(0)
        _copy_rewritten(old.read(_MOST_REWRITTEN + 1), new)
        return
    new.write(_HEAD)
    left -= len(_HEAD)
    while left > 0 and (block := old.read(min(left, _BLOCK))):
        new.write(block)
        left -= len(block)


def _copy_rewritten(content: bytes, new: BinaryIO) -> None:
    """A manifest that somebody has formatted in another way.

    Raises:
        ForeignManifest: it is none, or would lose something.
    """
    try:
        if len(content) > _MOST_REWRITTEN:
            raise ForeignManifest
        found = json.loads(content)
        if not isinstance(found, dict) or found.keys() != {"version", "images"} or found["version"] != VERSION:
            raise ForeignManifest
        images = found["images"]
        if not isinstance(images, list) or not images:
            raise ForeignManifest
        lines = b",\n".join(json.dumps(image, ensure_ascii=False).encode() for image in images)
    except (ValueError, RecursionError) as error:
        raise ForeignManifest from error
    new.write(_HEAD + lines)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Holds a lock; False where there are none, or somebody does not let go of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _wait_for(descriptor)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            if sys.platform == "win32":
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_S)
        except OSError:
            return False
        else:
            return True
