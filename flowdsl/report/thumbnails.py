"""Small pictures for a page of many: made once, side by side, of those that can be read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from flowdsl.report.pillow import is_there, quietly, read

SIZE = 256
"""The longer edge, in pixels."""
SCREEN = 1600
"""The longer edge of a picture that fills a screen."""
_QUALITY = 78
_BY_ITSELF = 16 * 1024
"""A picture with fewer bytes is its own small one."""


def thumbnails(
    paths: Iterable[str],
    folder: Path,
    told: Callable[[int, int], None] = lambda done, all: None,
    size: int = SIZE,
) -> Mapping[str, Path]:
    """The small picture of each file, in a folder; those that none can be made of are left out, and all of them where
    Pillow is not installed. `told` hears how many of those that were not there yet are made.

    Raises:
        OSError: the folder cannot be made.
    """
    if not is_there():
        return {}
    names = {path: folder / name for path in dict.fromkeys(paths) if (name := _name(path, folder)) is not None}
    found = {path: small for path, small in names.items() if os.path.exists(small)}  # noqa: PTH110  there may be many
    missing = {path: small for path, small in names.items() if path not in found}
    if not missing:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with quietly(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for number, (path, small) in enumerate(pool.map(partial(_made, size), missing.items()), start=1):
            if small is not None:
                found[path] = small
            told(number, len(missing))
    return found


def _name(path: str, folder: Path) -> str | None:
    """What the small picture of a file is called: another one when the file changes, the same one when the folder moves
    with all that is in it. None for a file that is not there, or small itself."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):  # the second: a name that no file can have
        return None
    try:
        near = os.path.relpath(path, folder)
    except ValueError:  # another drive
        near = path
    if status.st_size < _BY_ITSELF:
        return None
    facts = f"{near}\0{status.st_size}\0{status.st_mtime_ns}"
    return f"{hashlib.sha256(facts.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}.webp"


def _made(size: int, item: tuple[str, Path]) -> tuple[str, Path | None]:
    path, small = item
    part = small.with_name(f".{small.name}.{os.getpid()}.part")
    if read(lambda: _shrink(path, part, size)) is None:
        part.unlink(missing_ok=True)
        return path, None
    part.replace(small)
    return path, small


def _shrink(path: str, part: Path, size: int) -> bool:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        image.draft("RGB", (size, size))
        image.thumbnail((size, size))
        upright = ImageOps.exif_transpose(image)
        plain = upright if upright.mode in ("RGB", "RGBA") else upright.convert("RGBA")
        plain.save(part, "WEBP", quality=_QUALITY, method=2)
    return True
