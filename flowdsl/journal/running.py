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
_SPARE = ".spare-"
_MOST_SPARE = 128
"""So many files of runs that ended are kept for others: ext4 is slow to make files where many are deleted."""


class Running:
    """The runs of one process that use a journal's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._held: dict[str, int] = {}
        self._spare: list[tuple[Path, int]] = []

    def take(self, run: str) -> bool:
        """Takes a run; False where it goes on, here or in another process."""
        if run in self._held:
            return False
        make(self._folder.parent)
        self._folder.mkdir(0o700, exist_ok=True)
        path = self._folder / run
        if (spare := self._renamed(path)) is not None:
            self._held[run] = spare
            return True
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            is_ours = self._locked(descriptor)
            if os.name == "nt" or _is_at(path, descriptor):  # else it ended in this moment, and its file is another's
                if is_ours:
                    self._held[run] = descriptor
                else:
                    os.close(descriptor)
                return is_ours
            os.close(descriptor)

    def _renamed(self, path: Path) -> int | None:
        """A file of a run that has ended, with its lock, under another name; None where there is none, or the name is
        taken."""
        while self._spare:
            place, descriptor = self._spare.pop()
            try:
                os.link(place, path)
            except FileExistsError:
                self._spare.append((place, descriptor))
                return None
            except OSError:  # of a file system without links, or of a folder that somebody has emptied
                os.close(descriptor)
            else:
                place.unlink()
                return descriptor
        return None

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
        path = self._folder / run
        with contextlib.suppress(OSError):
            if os.name != "nt" and len(self._spare) < _MOST_SPARE:
                place = self._folder / f"{_SPARE}{os.urandom(8).hex()}"
                path.rename(place)
                self._spare.append((place, descriptor))
                return
            path.unlink()
        os.close(descriptor)

    def close(self) -> None:
        """Removes the files that are kept for further runs."""
        while self._spare:
            place, descriptor = self._spare.pop()
            with contextlib.suppress(OSError):
                place.unlink()
            os.close(descriptor)

    def sweep(self, *, spare: bool = False) -> None:
        """Removes what processes left that were killed; with `spare` only what they kept for further runs."""
        with contextlib.suppress(OSError):
            for run in [path.name for path in self._folder.glob(f"{_SPARE}*" if spare else "*")]:
                if not self.goes_on(run) and self.take(run):
                    self.let_go(run)
            self.close()

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


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether a file that is open stands at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
