"""Where the pictures of a run go, and its manifest: a folder, or what a host keeps them in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from flowdsl.image.image import Image
from flowdsl.image.manifest import NAME, add_to_manifest
from flowdsl.image.named_file import Naming, files_of, name_file
from flowdsl.image.store import ImageStore

ORIGINALS = ".originals"
"""The folder of the bytes as they came, inside that of the pictures."""


class Named(NamedTuple):
    """The file of a picture and that of its bytes as they came, as the manifest lists them, and the SHA-256 of the
    first."""

    file: str
    original: str
    sha256: str | None


class Shelf(Protocol):
    """A place for the pictures of one run. `is_slow`: it is not for the event loop, however small a picture is."""

    store: ImageStore
    is_slow: bool

    def describe(self) -> str:
        """The place, for messages."""
        ...

    def name(self, naming: Naming, image: Image, xmp: bytes | None) -> Named:
        """Gives a stored image the next free name of those there are, with metadata where its format takes it.

        Raises:
            OSError: the place takes no such file.
        """
        ...

    def unnamed(self, image: Image) -> Named:
        """What the manifest lists of a picture without another name."""
        ...

    def found(self, image: Image, path: str) -> Named | None:
        """Gives an image the file that it had before; None where that is gone."""
        ...

    def left(self, naming: Naming, image: Image, known: Collection[str]) -> Named | None:
        """Gives an image the file that was made of it and stands nowhere, neither in the manifest nor among those that
        are known; None where there is none."""
        ...

    def lists(self, run: str) -> Collection[str]:
        """Which files the manifest lists of a run, as far as that can be read."""
        ...

    def list(self, run: str, lines: Sequence[Mapping[str, Any]], *, waits: bool = True) -> str | None:
        """Adds pictures to the manifest; gives what is odd about that. It `waits` for others that add to it.

        Raises:
            OSError: the place takes no such file.
            Locked: somebody adds to it, and it does not wait.
        """
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class Folder:
    """A folder of the author's: the bytes are in `.originals`, the names beside it."""

    is_slow = False

    def __init__(self, given: str) -> None:
        self._given = given
        self.store = ImageStore(f"{given or '.'}/{ORIGINALS}")  # a run without pictures makes no path

    @property
    def _path(self) -> Path:
        return self.store.folder.parent

    def describe(self) -> str:
        """Its path."""
        return str(self._path)

    def name(self, naming: Naming, image: Image, xmp: bytes | None) -> Named:
        """Makes a copy with metadata, or a link; in the spare folder of what is there."""
        folder = Path(image.original).parent if self.store.spare.holds(image) else self._path
        digest = name_file(folder, naming, image, xmp)
        return self.unnamed(image)._replace(sha256=digest)

    def unnamed(self, image: Image) -> Named:
        """The paths inside the folder."""
        return Named(_inside(image.path, self._path), _inside(image.original, self._path), None)

    def found(self, image: Image, path: str) -> Named | None:
        """The file, where it is still there."""
        try:
            with Path(path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
        image.take_name(path)
        return self.unnamed(image)._replace(sha256=digest)

    def left(self, naming: Naming, image: Image, known: Collection[str]) -> Named | None:
        """A file of the last numbers that are taken, which holds the picture and that no manifest lists."""
        from flowdsl.image.listed import listed, manifests

        try:
            files = [path for path in files_of(self._path, naming, image) if str(path) not in known]
            if not files:
                return None
            taken = {line.get("file") for line in listed(self._path)} if manifests(self._path)[0].exists() else set()
        except (OSError, ValueError):
            return None
        path = next((path for path in files if _inside(str(path), self._path) not in taken), None)
        return None if path is None else self.found(image, str(path))

    def lists(self, run: str) -> Collection[str]:
        """Those of all manifests of the folder; none where they cannot be read."""
        from flowdsl.image.listed import listed

        try:
            return {str(line.get("file")) for line in listed(self._path) if line.get("run") == run}
        except (OSError, ValueError):
            return ()

    def list(self, run: str, lines: Sequence[Mapping[str, Any]], *, waits: bool = True) -> str | None:
        """Adds to `manifest.json`, or to a manifest of the run where that is not ours. Where the disk takes neither,
        the pictures are listed in the spare folder, if there is one."""
        try:
            path = add_to_manifest(self._path, self.store.folder / ".lock", run, lines, waits=waits)
        except OSError as error:
            if not self.store.spare.paths:
                raise
            spare = self.store.spare.paths[-1]
            whole = [{**line, **{key: str(self._path / line[key]) for key in ("file", "original")}} for line in lines]
            path = add_to_manifest(spare, spare / ".lock", run, whole)
            return (
                f"{self._path / NAME} cannot be written: {error.strerror or error}. The pictures are listed in {path}"
            )
        if path.name == NAME:
            return None
        why = f"{self._path / NAME} is no manifest of pictures that can be written, or is locked"
        return f"{why}: it is left as it is, and the pictures of this run are in {path.name}"

    def close(self) -> None:
        """Everything stays."""


def _inside(path: str, folder: Path) -> str:
    start = os.path.join(folder, "")  # noqa: PTH118
    return path.removeprefix(start).replace(os.sep, "/") if path.startswith(start) else path
