"""A file in which the processes of a gateway put what they count: each has a place there, and whoever takes its place
goes on from what it finds."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any

_LONGEST = 256 * 1024
_HEAD = struct.Struct(">II")
"""How long what stands there is, and its checksum: nobody waits for whoever writes."""
_TRIES = 5


class SharedCounts:
    """The places of all processes in the file of a descriptor; `number` is that of this one."""

    def __init__(self, descriptor: int, number: int) -> None:
        self._descriptor = descriptor
        self._number = number
        self._last: dict[int, dict[str, Any]] = {}

    def own(self) -> dict[str, Any]:
        """What stands in the own place; an empty mapping where nothing does."""
        return self._read(self._number)

    def others(self) -> Iterator[dict[str, Any]]:
        """What the other processes have counted."""
        for number in range(-(-os.fstat(self._descriptor).st_size // _LONGEST)):
            if number != self._number:
                yield self._read(number)

    def write(self, said: dict[str, Any]) -> None:
        """Puts something into the own place; what is too long for it is left as it was."""
        text = json.dumps(said).encode()
        if len(text) <= _LONGEST - _HEAD.size:
            os.pwrite(self._descriptor, _HEAD.pack(len(text), zlib.crc32(text)) + text, self._number * _LONGEST)

    def _read(self, number: int) -> dict[str, Any]:
        for _ in range(_TRIES):
            found = os.pread(self._descriptor, _LONGEST, number * _LONGEST)
            if len(found) < _HEAD.size:
                break
            length, checksum = _HEAD.unpack_from(found)
            text = found[_HEAD.size : _HEAD.size + length]
            if length and len(text) == length and zlib.crc32(text) == checksum:
                self._last[number] = json.loads(text)
                break
        return self._last.get(number, {})  # also where it is being written
