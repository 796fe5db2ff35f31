"""Pictures that a host keeps in a store of its own."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from flowdsl.engine.failures import EXITS
from flowdsl.errors import in_words
from flowdsl.host import PictureStore
from flowdsl.image.image import Image
from flowdsl.image.manifest import whole_manifest
from flowdsl.image.metadata import with_packet
from flowdsl.image.named_file import Naming, first_free, write_pieces
from flowdsl.image.shelf import ORIGINALS, Named
from flowdsl.image.store import ImageStore

_MOST_TRIES = 100
_LONGEST_ADDRESS = 8192


class Kept:
    """A host's own store. The bytes are in a temporary folder until they are kept, which is in a thread."""

    is_slow = True

    def __init__(self, given: PictureStore) -> None:
        self._given = given
        self.store = ImageStore(f"{tempfile.gettempdir()}/flowdsl-{os.urandom(8).hex()}", mode=0o700)
        self._kept: dict[str, str] = {}
        """SHA-256 of what is kept as it came, and the name."""

    def describe(self) -> str:
        """What the host calls it."""
        return type(self._given).__name__

    def name(self, naming: Naming, image: Image, xmp: bytes | None) -> Named:
        """Saves the picture with metadata and the bytes as they came, or only these."""
        path = Path(image.original)
        with path.open("rb") as file:
            pieces = None if xmp is None else with_packet(image.mime, file, xmp)
            if pieces is None:
                name, address = self._numbered(naming, path.suffix, file)
                self._kept.setdefault(image.sha256, name)
                image.take_name(address, partial(_call, self._given.read, name))
                return Named(name, name, image.sha256)
            original = self._original(image, file)
            with tempfile.TemporaryFile(dir=path.parent) as named:
                digest = write_pieces(named.fileno(), pieces, file)
                name, address = self._numbered(naming, path.suffix, named)
        image.take_name(address, partial(_call, self._given.read, original))
        return Named(name, original, digest)

    def unnamed(self, image: Image) -> Named:
        """The temporary file: it is all there is."""
        return Named(image.path, image.original, None)

    def found(self, image: Image, path: str) -> Named | None:
        """Nothing: what is kept elsewhere is kept once more."""
        return None

    def left(self, naming: Naming, image: Image, known: Collection[str]) -> Named | None:
        """Nothing: what is kept elsewhere is kept once more."""
        return None

    def lists(self, run: str) -> Collection[str]:
        """None: what is kept elsewhere is not read."""
        return ()

    def list(self, run: str, lines: Sequence[Mapping[str, Any]], *, waits: bool = True) -> str | None:
        """Saves a manifest of the run: nothing can be added to what is kept."""
        content = io.BytesIO(whole_manifest(lines))
        self._first_of(lambda number: f"manifest-{run}{f'-{number}' if number > 1 else ''}.json", content)
        return None

    def close(self) -> None:
        """Removes the temporary folder, but for what could not be kept."""
        with contextlib.suppress(OSError):
            if all(image.sha256 in self._kept or image.is_named for image in self.store.made):
                shutil.rmtree(self.store.folder)
                for path in self.store.spare.paths:
                    shutil.rmtree(path)

    def _original(self, image: Image, file: BinaryIO) -> str:
        name = self._kept.get(image.sha256)
        if name is None:
            name = f"{ORIGINALS}/{Path(image.original).name}"
            with contextlib.suppress(FileExistsError):  # its name is its content: what is there is the same
                if not _call(lambda: bool(self._given.exists(name))):
                    self._save(name, file)
            self._kept[image.sha256] = name
        return name

    def _numbered(self, naming: Naming, suffix: str, file: BinaryIO) -> tuple[str, str]:
        return self._first_of(lambda number: f"{naming(number)}{suffix}", file)

    def _first_of(self, name: Callable[[int], str], file: BinaryIO) -> tuple[str, str]:
        """Saves a file under the first name that is free; gives the name and its address."""
        first = first_free(lambda number: _call(lambda: bool(self._given.exists(name(number)))))
        for number in range(first, first + _MOST_TRIES):
            with contextlib.suppress(FileExistsError):  # somebody has it since a moment
                return name(number), self._save(name(number), file)
        raise OSError(f"`save` says of {_MOST_TRIES} names that something has them")

    def _save(self, name: str, file: BinaryIO) -> str:
        file.seek(0)
        address: str = _call(lambda: _address(self._given.save(name, file)))
        return address


def _address(given: object) -> str:
    """What `save` gives as the address of a picture. Without one nobody would find it again.

    Raises:
        OSError: it is none.
    """
    if isinstance(given, os.PathLike):
        given = os.fspath(given)
    if isinstance(given, str) and given.isprintable() and 0 < len(given) <= _LONGEST_ADDRESS:
        return given
    if isinstance(given, Coroutine):
        given.close()
    raise OSError(f"`save` gave no address of what it keeps, but {type(given).__name__} {given!r:.40}")


def _call(method: Callable[..., Any], *given: Any) -> Any:
    """What a method of the host gives; what it raises is an OSError. It may wait for something that is cancelled."""
    try:
        return method(*given)
    except OSError as error:
        if error.strerror or str(error):
            raise
        raise OSError(in_words(error)) from error
    except BaseException as error:
        if isinstance(error, EXITS) and threading.current_thread() is threading.main_thread():
            raise  # the host reads a picture; from other threads no exit ends the process
        raise OSError(in_words(error)) from error
