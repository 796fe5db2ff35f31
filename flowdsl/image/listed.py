"""The lines of manifests, read again: also of one whose writer was killed, and of those that are of one run alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowdsl.image.manifest import NAME, VERSION

_HEAD = f'{{"version": {VERSION}, "images": ['


def manifests(folder: Path) -> list[Path]:
    """The manifests of a folder: the one of all runs, and those of runs that could not add to it. The first is named
    also where there is none."""
    first, others = folder / NAME, sorted(folder.glob("manifest-*.json"))
    return [first, *others] if first.exists() or not others else others


def listed(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of all manifests of a folder.

    Raises:
        OSError: there is none that can be read.
        ValueError: one is none of ours.
    """
    for path in manifests(folder):
        yield from lines_of(path)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a manifest; of one whose writer was killed, those that are whole.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none of ours.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        found = json.loads(text)
        images = found.get("images") if isinstance(found, dict) and found.get("version") == VERSION else None
    except (ValueError, RecursionError):
        is_ours = text.startswith(_HEAD)
        images = [line for each in text.splitlines()[1:] if (line := _whole(each)) is not None] if is_ours else None
    if not isinstance(images, list):
        raise ValueError(f"{path.name} is no list of pictures, as a run writes it")
    return [line for line in images if isinstance(line, dict)]


def _whole(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text.rstrip().removesuffix(","))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
