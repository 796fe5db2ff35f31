"""Where pictures go that their folder does not take: by then they are paid for."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from flowdsl.image.image import Image

_MORE_PLACES = ("/var/tmp", "/dev/shm")  # noqa: S108  the folder in it has a name that nobody can know before
"""Where systems keep temporary files besides: on another disk often, and in memory."""
_PREFIX = "flowdsl-"
_RANDOM = 8


class SpareFolder:
    """A second place for what a folder does not take, made when it is needed: a folder for nobody else to read, among
    the system's temporary files.

    `paths` is where it is, the last one the best, for a place may be full as well. `reason` is why the first thing in
    it is there.
    """

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.reason = ""

    @cached_property
    def _name(self) -> str:
        return f"{_PREFIX}{os.urandom(_RANDOM).hex()}"

    def tried(self) -> Iterator[Path]:
        """Folders that may have room, one after the other: whoever wants the next found none in the last."""
        for place in _places():
            path = Path(place, self._name)
            with contextlib.suppress(OSError):
                path.mkdir(0o700, exist_ok=True)
                yield path
                path.rmdir()  # where nothing has come of it

    def take(self, path: Path, error: OSError) -> None:
        """Notes that something is kept in one of the folders, as another one failed with an error."""
        if path not in self.paths:
            self.paths.append(path)
        self.reason = self.reason or error.strerror or str(error)

    def close(self) -> None:
        """Removes the folder where nothing is left in it."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                path.rmdir()

    def holds(self, image: Image) -> bool:
        """Whether an image is in one of the folders, and nowhere else."""
        return bool(self.paths) and Path(image.path).parent.name == self._name


def is_spare(path: Path) -> bool:
    """Whether a file lies in such a folder, of whatever process."""
    name = path.parent.name
    is_named = name.startswith(_PREFIX) and len(name) == len(_PREFIX) + 2 * _RANDOM
    return is_named and str(path.parent.parent) in _places()


def without_places(text: str) -> str:
    """A text that says of such folders their names, and not where they are."""
    if _PREFIX in text:
        for place in _places():
            text = re.sub(rf"{re.escape(str(Path(place, _PREFIX)))}(?=[0-9a-f]{{{2 * _RANDOM}}})", _PREFIX, text)
    return text


def _places() -> Iterator[str]:
    import tempfile  # slow to import, and most disks have room

    with contextlib.suppress(OSError):  # it looks for one that can be written to, and there may be none
        yield tempfile.gettempdir()
    yield from _MORE_PLACES
