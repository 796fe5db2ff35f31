"""What leaves this machine of a run: pictures by their addresses, and no path."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from flowdsl.image.formats import EXTENSIONS
from flowdsl.image.spare_folder import without_places

_PICTURE = frozenset({"path", "mime", "sha256"})
_PATHS = frozenset({"files", "file"})


def published(
    value: Any, address: Callable[[str], str], folders: Iterable[str] = (), known: Container[str] | None = None
) -> Any:
    """JSON values in which each picture has a `url` of ours in place of its path; `address` makes one of the name of a
    picture's file. What a text says of a file below one of the `folders` is its path from there, and of a folder itself
    its name. `known` are the SHA-256 of the pictures that may be handed over (None: all): what a client gave may look
    like a picture, and be echoed."""
    if isinstance(value, str):
        value = without_places(value)
        for folder in folders:
            value = value.replace(f"{folder}{os.sep}", "")
            if folder in value and (name := os.path.basename(folder)):  # noqa: PTH119
                value = name.join(re.split(rf"{re.escape(folder)}(?![\w-])", value))
        return value
    if isinstance(value, list):
        return [published(each, address, folders, known) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() >= _PICTURE and _is_known(value, known):
        kept = {key: each for key, each in value.items() if key not in ("path", "original")}
        return {**kept, "url": address(f"{value['sha256']}.{EXTENSIONS[value['mime']]}")}
    said = {key: published(each, address, folders, known) for key, each in value.items()}
    return {key: each for key, each in said.items() if not (key in _PATHS and _is_path(each))}


def _is_known(picture: Mapping[str, Any], known: Container[str] | None) -> bool:
    mime, digest = picture["mime"], picture["sha256"]
    return (
        isinstance(mime, str) and mime in EXTENSIONS and isinstance(digest, str) and (known is None or digest in known)
    )


def _is_path(value: Any) -> bool:
    """Whether a fact of a run is a path of this machine, or a list with some."""
    paths = value if isinstance(value, list) else [value]
    return any(isinstance(each, str) and os.path.isabs(each) for each in paths)  # noqa: PTH117
