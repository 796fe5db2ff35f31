"""Values of the FlowContext as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.errors import UsageError
from flowdsl.template.taint import Marked, own_text
from flowdsl.walks import unwalkable


def to_json(value: Any) -> Any:
    """A value of the FlowContext as JSON values; secrets become `***`.

    Images and blobs say themselves what they are as JSON, with `to_json`. What JSON has no form for becomes its text,
    and an object that has none `<Name>`: an address in memory says nothing, and differs from run to run. What several
    lists or maps hold is made once, and is in each of them.

    Raises:
        UsageError: a value holds itself, or is nested too deep; it says where.
    """
    if value.__class__ in _SAME:
        return value
    walk = _Walk()
    try:
        form = walk.form(value)
    except RecursionError:
        raise UsageError(f"JSON has no form for a value that {unwalkable(value) or 'is nested too deep'}") from None
    problem = unwalkable(value) if walk.meets_again else None
    if problem is not None:
        raise UsageError(f"JSON has no form for a value that {problem}")
    return form


_SAME = frozenset((str, int, bool, type(None)))
"""The classes of values that are their own form."""


class _Walk:
    """One walk over a value. Only a value in which it `meets_again` what it has met can hold itself, or be endless."""

    __slots__ = ("_done", "meets_again")

    def __init__(self) -> None:
        self.meets_again = False
        self._done: dict[int, tuple[Any, Any]] = {}
        """By the id of a list or map itself, so that no other gets its id, and its form."""

    def form(self, value: Any) -> Any:
        """The value as JSON values."""
        if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return _scalar(value)
        found = self._done.get(id(value))
        if found is not None:
            self.meets_again = True
            return found[1]
        if isinstance(value, Mapping):
            own = None if value.__class__ is dict else getattr(value, "to_json", None)
            if own is not None:
                return own()
            named: dict[str, Any] = {}
            self._done[id(value)] = value, named
            for key, item in value.items():
                name = key if key.__class__ is str else str(to_json(key))
                named[name] = item if item.__class__ in _SAME else self.form(item)
            return named
        items: list[Any] = []
        self._done[id(value)] = value, items
        for item in value:
            items.append(item if item.__class__ in _SAME else self.form(item))
        if isinstance(value, (set, frozenset)):
            items.sort(key=str)
        return items


def _scalar(value: Any) -> Any:
    if isinstance(value, Marked):
        return "***"
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    text = own_text(value)
    return f"<{_name(value)}>" if text is None else text


def _name(value: Any) -> str:
    """What an object is called that has no text: a function or a class by its own name, others by their type's."""
    name = getattr(value, "__qualname__", None)
    return name if isinstance(name, str) else type(value).__qualname__
