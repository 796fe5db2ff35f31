"""Which runs go on: each holds the lock of a file as long as its process lives."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from flowdsl.image.part_file import lock
from flowdsl.journal.place import make

_FOLDER = "running"
_PAUSES_S = (0.001, 0.01, 0.05)


class Running:
    """The runs of one process that use a journal's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._held: dict[str, int] = {}

    def take(self, run: str) -> bool:
        """Takes a run; False where it goes on, here or in another process."""
        if run in self._held:
            return False
        make(self._folder.parent)
        self._folder.mkdir(0o700, exist_ok=True)
        while True:
            descriptor = os.open(self._folder / run, os.O_RDWR | os.O_CREAT, 0o600)
            if not self._locked(descriptor):
                os.close(descriptor)
                return False
            if os.name == "nt" or os.fstat(descriptor).st_nlink:  # else it ended in this moment, and its file is gone
                self._held[run] = descriptor
                return True
            os.close(descriptor)

    def _locked(self, descriptor: int) -> bool:
        """Whether the lock is ours, in the end: who asks whether a run goes on holds it for a moment as well."""
        for pause_s in _PAUSES_S:
            if lock(descriptor) is not False:
                return True
            time.sleep(pause_s)
        return lock(descriptor) is not False

    def let_go(self, run: str) -> None:
        """A run has ended."""
        descriptor = self._held.pop(run, None)
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            (self._folder / run).unlink()
        os.close(descriptor)

    def sweep(self) -> None:
        """Removes what processes left that were killed."""
        with contextlib.suppress(OSError):
            for run in [path.name for path in self._folder.iterdir()]:
                if not self.goes_on(run) and self.take(run):
                    self.let_go(run)

    def goes_on(self, run: str) -> bool:
        """Whether a run goes on, here or in another process."""
        if run in self._held:
            return True
        try:
            descriptor = os.open(self._folder / run, os.O_RDWR)
        except OSError:
            return False
        try:
            return lock(descriptor) is False
        finally:
            os.close(descriptor)
