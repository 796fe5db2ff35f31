"""Files with names for people: `skyline-1.png`, made of a stored picture, and never over another file.

A `Naming` says which file has which number: the names that the author gave have one only from the second on.

A name is claimed by making it: a link, a rename that fails, or a file that is opened for nobody else, whichever the
file system has. Whoever comes second takes the next number, be it a thread, a process or an earlier run.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from errno import EDQUOT, ENOENT, ENOSPC, EROFS, EXDEV
from pathlib import Path, PurePath
from typing import BinaryIO

from flowdsl.image.image import Image
from flowdsl.image.metadata import Piece, with_packet, without_packet
from flowdsl.image.part_file import open_part

_MOST_NUMBERS = 1 << 40
_MOST_LOOKED_AT = 64
_MOST_METADATA = 64 * 1024
_BLOCK = 128 * 1024
"""Read, hashed and written at once: what fits into the cache of a processor is a fifth quicker than 1 MB."""
_NOT_IN_NAMES = re.compile(r"[^\w.+@#=,()-]+")
_DEVICE = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)\.", re.IGNORECASE)
"""What Windows takes for a device, whatever comes behind the dot."""
_NO_ROOM = frozenset((ENOSPC, EDQUOT, EROFS, ENOENT))
_LONGEST_WORD = 60
"""The most characters that one part of a name has."""
_LONGEST_STEM = 180
"""The most bytes of a name in front of its number: file systems take 255."""


_LAST: dict[str, int] = {}
"""The last number that this process has given, by the first two paths of a naming: most pictures of a batch are called
alike, and `cat` of the author is counted apart from the `cat-1` of a flow."""
_MOST_LAST = 1000

Naming = Callable[[int], str]
"""From a number, 1 and up, to the name of a file without its ending."""


def counted(stem: str) -> Naming:
    """`skyline-1`, `skyline-2` and so on."""
    return lambda number: f"{stem}-{number}"


def as_given(name: str) -> Naming:
    """`cat`, and where that is taken `cat-2`, `cat-3` and so on. What leads out of the folder, or is too long, goes."""
    name = name if PurePath(name).name == name else stem_of([name])
    stem = name.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore").rstrip(". ") or "image"
    return lambda number: stem if number == 1 else f"{stem}-{number}"


def stem_of(words: Iterable[str]) -> str:
    """Words as the beginning of a file name that every file system takes; empty when nothing is left of them."""
    parts = (_NOT_IN_NAMES.sub("-", unicodedata.normalize("NFC", word))[:_LONGEST_WORD] for word in words)
    stem = _DEVICE.sub(r"\1-", "-".join(found for part in parts if (found := part.strip("-."))))
    return stem.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore")


def name_file(folder: Path, naming: Naming, image: Image, xmp: bytes | None) -> str:
    """Gives an image the next free name of those there are; the SHA-256 of that file.

    With an XMP packet the file is a copy that holds it, where its format can. Without one it is a link to the stored
    bytes: the same file under two names.

    Raises:
        OSError: the folder takes no such file.
    """
    original = Path(image.original)
    if xmp is not None:
        with original.open("rb") as file:
            pieces = with_packet(image.mime, file, xmp)
            if pieces is not None:
                path, digest = _copied(file, pieces, folder, naming, original)
                image.take_name(str(path))
                return digest
    image.take_name(str(_numbered(folder, naming, original.suffix, lambda path: _link(original, path))))
    return image.sha256


def files_of(folder: Path, naming: Naming, image: Image) -> list[Path]:
    """The files that were made of an image, of the last ones that have a name.

    Raises:
        OSError: one of them cannot be read.
    """
    original = Path(image.original)

    def path(number: int) -> Path:
        return folder / f"{naming(number)}{original.suffix}"

    free = first_free(lambda number: os.path.lexists(path(number)))
    last = [path(number) for number in range(max(1, free - _MOST_LOOKED_AT), free)]
    size = original.stat().st_size
    near = [each for each in last if each.is_file() and size <= each.stat().st_size <= size + _MOST_METADATA]
    content = original.read_bytes() if near else b""
    return [
        each
        for each in near
        if each.samefile(original)
        or (found := each.read_bytes()) == content
        or content in without_packet(image.mime, found)
    ]


def _copied(file: BinaryIO, pieces: Iterable[Piece], folder: Path, naming: Naming, original: Path) -> tuple[Path, str]:
    """A new file of some pieces: it gets its name when it is complete."""
    part, descriptor = open_part(original.parent)
    try:
        digest = write_pieces(descriptor, pieces, file)
        if os.name == "nt":
            os.close(descriptor)  # Windows renames no file that is open
            descriptor = -1
        return _numbered(folder, naming, original.suffix, lambda path: claim(part, path)), digest
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        part.unlink(missing_ok=True)


def write_pieces(descriptor: int, pieces: Iterable[Piece], file: BinaryIO) -> str:
    """Writes new bytes and ranges of a file; gives the SHA-256 of it all."""
    digest = hashlib.sha256()

    def take(content: bytes) -> None:
        digest.update(content)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]

    for piece in pieces:
        if isinstance(piece, bytes):
            take(piece)
            continue
        left = piece[1] - file.seek(piece[0])
        while left > 0 and (content := file.read(min(left, _BLOCK))):
            take(content)
            left -= len(content)
    return digest.hexdigest()


def claim(part: Path, path: Path) -> None:
    """Gives a file that is complete a name that nobody has; the old name may be gone then.

    Raises:
        FileExistsError: somebody has it, perhaps since a moment.
        OSError: the folder takes no file.
    """
    try:
        if os.name == "nt":
            part.rename(path)  # which fails there when the name is taken
        else:
            os.link(part, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno == EXDEV and part.parent != path.parent:
            _claim_from_another_disk(part, path)
            return
        if os.name == "nt" or error.errno in _NO_ROOM:
            raise
        # A file system without links: whoever makes the empty file has the name.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        try:
            part.replace(path)
        except OSError:
            path.unlink()  # a name with nothing behind it helps nobody
            raise


def _claim_from_another_disk(part: Path, path: Path) -> None:
    """The folder of the bytes is a link to elsewhere: the file comes over first, and then gets its name."""
    near, descriptor = open_part(path.parent)
    try:
        try:
            with part.open("rb") as file:
                write_pieces(descriptor, [(0, file.seek(0, 2))], file)
        finally:
            os.close(descriptor)
        claim(near, path)
    finally:
        near.unlink(missing_ok=True)


def _link(original: Path, path: Path) -> None:
    """A second name for a stored file; a copy where the file system has no links, or no more for this file."""
    try:
        os.link(original, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        part, descriptor = open_part(original.parent)
        try:
            with original.open("rb") as file:
                write_pieces(descriptor, [(0, file.seek(0, 2))], file)
        finally:
            os.close(descriptor)
        try:
            claim(part, path)
        finally:
            part.unlink(missing_ok=True)


def _numbered(folder: Path, naming: Naming, suffix: str, claim: Callable[[Path], None]) -> Path:
    """The path with the first number that is free, claimed."""

    def path(number: int) -> str:
        return os.path.join(folder, f"{naming(number)}{suffix}")  # noqa: PTH118

    like = f"{path(0)}\0{path(1)}"
    last = _LAST.get(like, 0)
    if last and os.path.lexists(path(last)) and not os.path.lexists(path(last + 1)):
        number = last + 1
    else:
        number = first_free(lambda number: os.path.lexists(path(number)))
    while True:
        found = Path(path(number))
        try:
            claim(found)
        except FileExistsError:
            number += 1
            continue
        if len(_LAST) >= _MOST_LAST:
            _LAST.clear()
        _LAST[like] = number
        return found


def first_free(is_taken: Callable[[int], bool]) -> int:
    """A number that is free, found in few questions however many are taken.

    Raises:
        OSError: there is none, whatever is asked.
    """
    low, high = 0, 1
    while is_taken(high):
        low, high = high, 2 * high
        if high > _MOST_NUMBERS:
            raise OSError("every name is said to be taken")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_taken(middle) else (low, middle)
    return high
