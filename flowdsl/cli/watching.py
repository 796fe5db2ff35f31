"""`--watch`: again whenever a file of the folders changes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

_PAUSE_S = 0.5
_ENDINGS = (".yaml", ".yml", ".json", ".toml", ".csv")
_SKIPPED = frozenset({"node_modules", "__pycache__"})
State = dict[str, tuple[int, int, int]]
"""Path → time of the last change, size, and which file it is: an editor may put another one in its place."""


def changes(paths: Sequence[str], *, pause_s: float = _PAUSE_S) -> Iterator[State]:
    """Gives the state of the files below some paths now, and whenever it has changed. It never ends by itself."""
    before = state(paths)
    yield before
    while True:
        time.sleep(pause_s)
        now = state(paths)
        if now != before:
            before = now
            yield now


def state(paths: Sequence[str]) -> State:
    """The files that flows are made of, below the folders of some paths, and of the folders above them in the project
    that flows come from: those beside a folder of tests count too."""
    found: State = {}
    for path in paths:
        folder = path if os.path.isdir(path) else os.path.dirname(path) or "."  # noqa: PTH112, PTH120
        for top in dict.fromkeys((folder, os.path.join(folder, ".."))):  # noqa: PTH118
            deep = top == folder
            for place, folders, files in os.walk(top):
                folders[:] = [name for name in folders if deep and not name.startswith(".") and name not in _SKIPPED]
                for name in files:
                    if name.endswith(_ENDINGS) and not name.endswith(".snapshots.yaml"):
                        _add(os.path.join(place, name), found)  # noqa: PTH118
    return found


def _add(path: str, found: State) -> None:
    try:
        status = os.stat(path)  # noqa: PTH116  pathlib is slow to import
    except OSError:
        return
    found[os.path.realpath(path)] = (status.st_mtime_ns, status.st_size, status.st_ino)
