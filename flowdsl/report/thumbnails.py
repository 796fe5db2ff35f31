"""Small pictures for a page of many: made once, side by side, of those that can be read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SIZE = 256
"""The longer edge, in pixels."""
QUALITY = 78


def thumbnails(paths: Iterable[str], folder: Path) -> Mapping[str, Path]:
    """The small picture of each file, in a folder; those that no small one can be made of are left out, and all of them
    where Pillow is not installed."""
    try:
        from PIL import Image  # noqa: F401  it may not be installed
    except ImportError:
        return {}
    distinct = [path for path in dict.fromkeys(paths) if os.path.isfile(path)]  # noqa: PTH113  there may be many
    if not distinct:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        made = pool.map(lambda path: _thumbnail(path, folder), distinct)
        return {path: small for path, small in zip(distinct, made, strict=True) if small is not None}


def _thumbnail(path: str, folder: Path) -> Path | None:
    from PIL import Image

    status = os.stat(path)  # noqa: PTH116
    name = hashlib.sha256(f"{path}\0{status.st_size}\0{status.st_mtime_ns}".encode()).hexdigest()[:24]
    small = folder / f"{name}.jpg"
    if small.exists():
        return small
    part = folder / f".{name}.{os.getpid()}.part"
    try:
        with Image.open(path) as image:
            image.draft("RGB", (SIZE, SIZE))
            image.thumbnail((SIZE, SIZE))
            plain = image.convert("RGB") if image.mode != "RGB" else image
            plain.save(part, "JPEG", quality=QUALITY)
        part.replace(small)
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, Image.DecompressionBombError):
        # what Pillow raises at files that are damaged, or too large: the picture itself is shown then
        part.unlink(missing_ok=True)
        return None
    return small
