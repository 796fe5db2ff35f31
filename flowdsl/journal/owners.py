"""Who uses a journal's file, by a lock that the system gives back when their process ends, however that happens."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from flowdsl.image.part_file import lock, open_part

_FOLDER = "reserving"


class Owners:
    """Those that have set something aside in a journal's file, each by the name of a file whose lock it holds. It is
    asked within transactions that write: nobody else makes, or looks at, one of these files meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._own: tuple[Path, int] | None = None
        self._process = 0
        """Whose name that is: a fork of it that closes its copy of this gives back nothing."""

    @property
    def has_own(self) -> bool:
        """Whether there is a name of ours yet."""
        return self._own is not None

    def own(self) -> str:
        """Our name, which is held until we are closed.

        Raises:
            OSError: the folder cannot be written.
        """
        if self._own is None:
            self._folder.mkdir(0o700, exist_ok=True)
            for left in self._folder.iterdir():  # by killed processes
                self.is_gone(left.name)
            self._own, self._process = open_part(self._folder), os.getpid()
        return self._own[0].name

    def is_gone(self, owner: str) -> bool:
        """Whether the process of a name has ended, or has closed the file. Where there are no locks, nobody knows that
        of one that was killed."""
        if self._own is not None and owner == self._own[0].name:
            return False
        path = self._folder / owner
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            if lock(descriptor) is not True:
                return False
            with suppress(OSError):
                path.unlink()
            return True
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """What we have set aside and not sent is free again."""
        if self._own is not None:
            path, descriptor = self._own
            self._own = None
            os.close(descriptor)
            if self._process == os.getpid():
                with suppress(OSError):
                    path.unlink()
