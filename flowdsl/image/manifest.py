"""The manifest of a folder of pictures: `manifest.json`, one line for each picture, of all runs.

A run adds its lines at its end. It does so under a lock, and to a copy that then takes the name, so that runs side by
side lose nothing and a reader sees whole JSON at any time. What is no manifest of ours is never written over, and where
a file system has no locks a run writes a manifest of its own, `manifest-RUN.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = "manifest.json"
VERSION = 1
_HEAD = f'{{"version": {VERSION}, "images": [\n'.encode()
_TAIL = b"\n]}\n"
_BLOCK = 1024 * 1024
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
    own = folder / f"manifest-{run}.json"
    own.write_bytes(_HEAD + lines + _TAIL)
    return own


def _added(path: Path, lines: bytes, run: str) -> Path:
    part = path.with_name(f".manifest-{run}.part")
    try:
        with part.open("wb") as new:
            try:
                with path.open("rb") as old:
                    _copy_begun(old, new)
                    new.write(b",\n")
            except FileNotFoundError:
                new.write(_HEAD)
            new.write(lines + _TAIL)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _copy_begun(old: Any, new: Any) -> None:
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
        _copy_rewritten(old.read(), new)
        return
    new.write(_HEAD)
    left -= len(_HEAD)
    while left > 0 and (block := old.read(min(left, _BLOCK))):
        new.write(block)
        left -= len(block)


def _copy_rewritten(content: bytes, new: Any) -> None:
    """A manifest that somebody has formatted in another way."""
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ForeignManifest from error
    if not isinstance(found, dict) or found.get("version") != VERSION or not found.get("images"):
        raise ForeignManifest
    new.write(_HEAD + b",\n".join(json.dumps(image, ensure_ascii=False).encode() for image in found["images"]))


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
