"""Blobs: bytes as a value of the FlowContext."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

_KEYS = ("contentType", "size", "sha256")


class Blob(Mapping[str, Any]):
    """Bytes with a media type: a map with `contentType`, `size` (bytes) and `sha256`. The bytes are in `content`."""

    __slots__ = ("_values", "content")

    def __init__(self, content: bytes, content_type: str) -> None:
        self.content = content
        digest = hashlib.sha256(content).hexdigest()
        self._values = {"contentType": content_type, "size": len(content), "sha256": digest}

    def to_json(self) -> dict[str, Any]:
        """The map, without the bytes."""
        return dict(self._values)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def __repr__(self) -> str:
        return f"<Blob {self._values['contentType']} {self._values['size']} bytes>"
