"""What leaves this machine of a run: pictures by their addresses, and no path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowdsl.image.formats import EXTENSIONS

_PICTURE = frozenset({"path", "mime", "sha256"})
_PATHS = frozenset({"files", "file"})


def published(value: Any, address: Callable[[str], str]) -> Any:
    """JSON values in which each picture has a `url` of ours in place of its path; `address` makes one of the name of a
    picture's file."""
    if isinstance(value, list):
        return [published(each, address) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() >= _PICTURE and value["mime"] in EXTENSIONS:
        kept = {key: each for key, each in value.items() if key not in ("path", "original")}
        return {**kept, "url": address(f"{value['sha256']}.{EXTENSIONS[value['mime']]}")}
    return {key: published(each, address) for key, each in value.items() if not (key in _PATHS and _is_path(each))}


def _is_path(value: Any) -> bool:
    """Whether a fact of a run is a path, or a list of paths."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))
