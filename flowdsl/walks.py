"""What keeps a nested value of a host from being walked over: it holds itself, stands too deep, or is too much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

DEEPEST: Final = 200
"""So many lists and maps may stand in each other."""
MOST: Final = 10_000_000
"""So many values may be in one, where each counts as often as a way leads to it."""
_SHOWN: Final = 8
_LEAVES: Final = frozenset((str, int, float, bool, type(None)))
"""The classes of nearly all values, which hold no others."""


def unwalkable(value: Any) -> str | None:
    """What keeps a value from being written out, and where, as the end of a sentence; None when nothing does.

    Each list and map is looked into once, so it is known soon of one in which a few stand again and again.
    """
    sizes: dict[int, int] = {}
    way = [_Level(None, value)]
    around = {id(value)}
    while True:
        level = way[-1]
        for key, item in level.items:
            if item.__class__ in _LEAVES or not isinstance(item, (dict, list, tuple, Mapping)):
                level.size += 1
            elif id(item) in sizes:
                level.size += sizes[id(item)]
            elif id(item) in around:
                return f"holds itself at {place([*(each.key for each in way[1:]), key])}"
            elif len(way) >= DEEPEST:
                return f"is nested more than {DEEPEST} deep at {place([each.key for each in way[1:]])}"
            else:
                way.append(_Level(key, item))
                around.add(id(item))
                break
        else:
            if level.size > MOST:
                return f"is more than {MOST:,} values when it is written out, as some stand in it again and again"
            way.pop()
            if not way:
                return None
            around.discard(id(level.value))
            sizes[id(level.value)] = level.size
            way[-1].size += level.size


def place(keys: list[Any]) -> str:
    """The way to a place in a value: `['a'][0]`."""
    return "".join(f"[{key!r}]" for key in keys[:_SHOWN]) + ("…" if len(keys) > _SHOWN else "")


class _Level:
    """A list or map that is being looked into, the key under which it stands, and how many values it holds so far."""

    __slots__ = ("items", "key", "size", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value
        self.size = 1
        self.items: Iterator[tuple[Any, Any]] = iter(())
        if isinstance(value, (list, tuple)):
            self.items = enumerate(value)
        elif isinstance(value, Mapping) and not hasattr(value, "to_json"):  # a picture says itself what it is
            self.items = iter([*value.items()])
