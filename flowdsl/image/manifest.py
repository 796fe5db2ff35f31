"""The manifest of a folder of pictures: `manifest.json`, one line for each picture, of all runs.

A run adds its lines at its end, under a lock, so that runs side by side lose nothing. A small manifest is copied, and
the copy takes the name: it is whole at any moment. A large one would make each run as slow as the folder is old: there
the lines take the place of the closing brackets, which move behind them. A process that is killed in that moment leaves
a line cut off, and the next run takes that one away; the lines before it are never touched. What is no manifest of ours
is never written over, and where a file system has no locks a run writes a manifest of its own, `manifest-RUN.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from errno import EEXIST
from io import FileIO
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = "manifest.json"
VERSION = 1
_HEAD = f'{{"version": {VERSION}, "images": [\n'.encode()
_BETWEEN = b",\n"
_TAIL = b"\n]}\n"
_MOST_COPIED = 64 * 1024
_MOST_REWRITTEN = 64 * 1024 * 1024
_LONGEST_END = 4 * 1024 * 1024
"""How far from the end of a manifest its last whole line is looked for."""
_CUT_OFF = re.compile(rb",?\n?[^\n]*\n?")
"""What can stand behind the last whole line of a manifest whose writer was killed: a part of a line, or of the end."""
_PATIENCE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.02


class Locked(Exception):
    """Somebody else adds to the manifest at this moment."""


class ForeignManifest(Exception):
    """A file of that name which is no manifest of ours."""


def add_to_manifest(
    folder: Path, lock: Path, run: str, images: Sequence[Mapping[str, Any]], *, waits: bool = True
) -> Path:
    """Adds pictures to the manifest of a folder; gives its path. It `waits` for others that add to it.

    Raises:
        OSError: the folder takes no file.
        Locked: somebody adds to it, and it does not wait.
    """
    lines = _lines(images)
    with _locked(lock, waits=waits) as is_locked, contextlib.suppress(ForeignManifest):
        if is_locked:
            return _added(folder / NAME, lines, run)
    try:
        return _added(folder / f"manifest-{run}.json", lines, run)  # a host may give several runs one id
    except ForeignManifest as error:
        raise FileExistsError(EEXIST, f"neither {NAME} nor manifest-{run}.json is a manifest of pictures") from error


def whole_manifest(images: Sequence[Mapping[str, Any]]) -> bytes:
    """A manifest of some pictures, for a place where nothing can be added to a file."""
    return _HEAD + _lines(images) + _TAIL


def _lines(images: Sequence[Mapping[str, Any]]) -> bytes:
    return _BETWEEN.join(json.dumps(image, ensure_ascii=False).encode("utf-8", "replace") for image in images)


def _added(path: Path, lines: bytes, run: str) -> Path:
    begun, mode = _HEAD, None
    with contextlib.suppress(FileNotFoundError), _opened(path) as file:
        end = _end_of_lines(file)
        if end is not None and end > _MOST_COPIED:
            _append(file, end, lines)
            return path
        begun = _rewritten(file) if end is None else _read(file, 0, end)
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    part = path.with_name(f".manifest-{run}.part")
    try:
        part.write_bytes(begun + (b"" if begun == _HEAD else _BETWEEN) + lines + _TAIL)
        if mode is not None:
            part.chmod(mode)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path


def _opened(path: Path) -> FileIO:
    """A manifest to be read and written: a file, for no run makes a link, a folder or a pipe of that name.

    Raises:
        FileNotFoundError: there is none yet.
        ForeignManifest: it is no file, or not for us to write.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ForeignManifest
    try:
        return FileIO(path, "r+")
    except PermissionError as error:
        raise ForeignManifest from error


def _read(file: FileIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _end_of_lines(file: FileIO) -> int | None:
    """Where the last line of a manifest ends: its lines are not read, however many there are. None when it is not
    written as ours are."""
    size = file.seek(0, 2)
    if _read(file, 0, len(_HEAD)) != _HEAD:
        return None
    left = size - len(_TAIL)
    if left >= len(_HEAD) and _read(file, left, size) == _TAIL:
        return left
    return _end_of_whole_lines(file, size)


def _end_of_whole_lines(file: FileIO, size: int) -> int | None:
    """Where the last whole line ends of a manifest whose writer was killed; None when that is not what is wrong."""
    start = max(len(_HEAD), size - _LONGEST_END)
    found = _read(file, start, size)
    end = len(found)
    while (begin := found.rfind(b"\n", 0, end) + 1) or start == len(_HEAD):
        length = _length_of_line(found[begin:end])
        if length is not None:
            end = begin + length
            return start + end if _CUT_OFF.fullmatch(found, end) else None
        if not begin:
            break
        end = begin - 1
    return None


def _length_of_line(text: bytes) -> int | None:
    """How long the JSON object is that bytes begin with; None when they begin with none, or a part of one."""
    line = text.decode("utf-8", "surrogateescape")
    try:
        found, end = json.JSONDecoder().raw_decode(line)
    except (ValueError, RecursionError):
        return None
    return len(line[:end].encode("utf-8", "surrogateescape")) if isinstance(found, dict) else None


def _append(file: FileIO, end: int, lines: bytes) -> None:
    """Writes lines where the last one ends, and the brackets behind them.

    Raises:
        OSError: the disk does not take them. The manifest is what it was then.
    """
    if file.seek(0, 2) != end + len(_TAIL):
        file.truncate(end)
    try:
        _write(file, end, _BETWEEN + lines + _TAIL)
    except OSError:
        _write(file, end, _TAIL)  # which takes no room that it did not have
        file.truncate(end + len(_TAIL))
        raise


def _write(file: FileIO, start: int, content: bytes) -> None:
    file.seek(start)
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]


def _rewritten(file: FileIO) -> bytes:
    """The lines of a manifest that somebody has formatted in another way.

    Raises:
        ForeignManifest: it is none, or would lose something.
    """
    try:
        content = _read(file, 0, _MOST_REWRITTEN + 1)
        if len(content) > _MOST_REWRITTEN:
            raise ForeignManifest
        found = json.loads(content)
        if not isinstance(found, dict) or found.keys() != {"version", "images"} or found["version"] != VERSION:
            raise ForeignManifest
        images = found["images"]
        if not isinstance(images, list):
            raise ForeignManifest
        return _HEAD + _BETWEEN.join(json.dumps(image, ensure_ascii=False).encode() for image in images)
    except (ValueError, RecursionError) as error:
        raise ForeignManifest from error


@contextlib.contextmanager
def _locked(path: Path, *, waits: bool) -> Iterator[bool]:
    """Holds a lock; False where there are none, or somebody does not let go of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _wait_for(descriptor, waits=waits)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, *, waits: bool) -> bool:
    deadline, pause_s = time.monotonic() + _PATIENCE_S, _FIRST_PAUSE_S
    while True:
        try:
            if sys.platform == "win32":
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            if not waits:
                raise Locked from error
            if time.monotonic() > deadline:
                return False
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        except OSError:
            return False
        else:
            return True
