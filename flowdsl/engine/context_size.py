"""How large the values of a run are: the FlowContexts of its branches, and what loops have collected.

Measuring walks over everything, so it is done seldom: when as much has been written as makes a quarter of the limit.
What is written is estimated for that, from the first few items of a list or map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final
from weakref import ReferenceType, ref

from flowdsl.errors import LimitExceeded
from flowdsl.template.taint import SecretText
from flowdsl.values import Blob

SIZED: Final = frozenset({str, bytes, list, tuple, dict, SecretText, Blob})
"""The values that can be large."""
HOLDING: Final = frozenset({list, tuple, dict, Blob})
"""Those that can be large with few items."""
UNCOUNTED: Final = 64
"""How many characters never matter, and how many items of what is written again and again."""
_LOOKED_AT: Final = 16
_ITEM: Final = 64
_NOTHING: Final[Mapping[str, Any]] = {}


class ContextSize:
    """Keeps the values of a run below a limit in bytes; `frames` are its branches."""

    __slots__ = ("_context", "_frames", "_held", "_limit", "_written")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._written = 0
        self._context: Mapping[str, Any] = _NOTHING
        self._frames: set[ReferenceType[Any]] | None = None  # few runs have branches, or loops that collect
        self._held: dict[int, Any] | None = None

    def context(self, context: Mapping[str, Any]) -> None:
        """Takes in the FlowContext of the run itself, which lives as long as the run."""
        self._context = context

    def branch(self, frame: Any) -> None:
        """Takes in the FlowContext of a branch, for as long as the branch is used."""
        if self._frames is None:
            self._frames = set()
        self._frames.add(ref(frame, self._frames.discard))

    @contextmanager
    def holding(self, values: Any) -> Iterator[None]:
        """Takes in a list or map that a step fills, until the step has written it."""
        if self._held is None:
            self._held = {}
        held = self._held
        held[id(values)] = values
        try:
            yield
        finally:
            del held[id(values)]

    def grow(self, value: Any) -> None:
        """Counts a value that was written.

        Raises:
            LimitExceeded: the values of the run are larger than the limit.
        """
        self._written += estimated(value)
        if self._written * 4 > self._limit:
            self._written = 0
            frames = [frame for each in self._frames or () if (frame := each()) is not None]
            size = measured([self._context, *(frame.context for frame in frames), *(self._held or {}).values()])
            if size > self._limit:
                raise LimitExceeded(
                    f"the values of the run take {size:,} bytes, more than the limit of {self._limit:,}",
                    code="context-too-large",
                    hint="keep less of each iteration, or write files; a host can set Limits(context_bytes=…)",
                )


def measured(values: Any) -> int:
    """The bytes of values and all inside them, each counted once; pictures are stored as files and count nothing."""
    size, waiting, seen = 0, [values], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, (str, bytes, int, float)):
            size += value.__sizeof__()
        elif isinstance(value, dict):
            size += value.__sizeof__()
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            size += value.__sizeof__()
            waiting += value
        elif isinstance(value, Blob):
            size += len(value.content)
    return size


def estimated(value: Any) -> int:
    """About how many bytes a value takes, from its first items."""
    if not isinstance(value, (list, tuple, dict)) or not value:
        return _length(value)
    items = list(islice(value.values() if isinstance(value, dict) else value, _LOOKED_AT))
    return sum(map(_length, items)) * len(value) // len(items)


def _length(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    return len(value.content) if isinstance(value, Blob) else _ITEM
