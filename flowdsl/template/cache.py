"""A bounded cache that keeps what was used last."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(dict[K, V]):
    """Values by key, read as `cache[key]` and made when they are missing; when `size` are kept, the older half goes.

    What is there is found as fast as in any dict.
    """

    def __init__(self, size: int, make: Callable[[K], V]) -> None:
        super().__init__()
        self._half = size // 2
        self._make = make
        self._older: dict[K, V] = {}

    def __missing__(self, key: K) -> V:
        """The value from the older half, or a new one; raises what making it raises."""
        found = self._older[key] if key in self._older else self._make(key)
        if len(self) >= self._half:
            self._older = dict(self)
            super().clear()
        self[key] = found
        return found

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._older = {}
