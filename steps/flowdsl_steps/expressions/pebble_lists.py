"""The filters of Pebble that work on lists and maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl.template.limits import check_items
from flowdsl_steps.expressions.pebble_filters import filter_named, list_in, whole
from flowdsl_steps.expressions.pebble_values import equal


@filter_named("first")
def first(value: Any) -> Any:
    """The first item or character; null of nothing."""
    found = value if isinstance(value, str) else list_in(value, "first")
    return found[0] if found else None


@filter_named("last")
def last(value: Any) -> Any:
    """The last item or character; null of nothing."""
    found = value if isinstance(value, str) else list_in(value, "last")
    return found[-1] if found else None


@filter_named("merge", "items", required=1)
def merge(value: Any, other: Any) -> Any:
    """Two lists as one, or two maps, of which the second one counts."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return {**value, **other}
    found = [*list_in(value, "merge"), *list_in(other, "merge")]
    check_items(len(found))
    return found


@filter_named("reverse")
def backwards(value: Any) -> Any:
    """A list or a text from its end."""
    return value[::-1] if isinstance(value, str) else list_in(value, "reverse")[::-1]


@filter_named("sort")
def ordered(value: Any) -> list[Any]:
    """The items in order."""
    return _sorted(value, "sort")


@filter_named("rsort")
def ordered_backwards(value: Any) -> list[Any]:
    """The items in order, the last one first."""
    return _sorted(value, "rsort")[::-1]


def _sorted(value: Any, name: str) -> list[Any]:
    found = list_in(value, name)
    if not (all(isinstance(item, str) for item in found) or all(isinstance(item, (int, float)) for item in found)):
        raise TemplateError(f"`{name}` needs items that are all texts, or all numbers")
    return sorted(found)


@filter_named("chunk", "size", required=1)
def chunk(value: Any, size: Any) -> list[Any]:
    """The items in lists of so many."""
    found, most = list_in(value, "chunk"), whole(size, "chunk")
    if most < 1:
        raise TemplateError("`chunk` needs a size of at least 1")
    return [found[at : at + most] for at in range(0, len(found), most)]


def _distinct(value: Any) -> list[Any]:
    kept: list[Any] = []
    seen: set[Any] = set()
    for item in list_in(value, "distinct"):
        plain = isinstance(item, (str, int, float))
        if item in seen if plain else any(equal(item, other) for other in kept):
            continue
        seen.update([item] if plain else [])
        kept.append(item)
    return kept


filter_named("distinct")(_distinct)
filter_named("uniq")(_distinct)


@filter_named("keys")
def keys(value: Any) -> list[Any]:
    """The keys of a map, the indices of a list."""
    return [*value] if isinstance(value, Mapping) else [*range(len(list_in(value, "keys")))]


@filter_named("values")
def values(value: Any) -> list[Any]:
    """The values of a map."""
    return [*list_in(value, "values")]


@filter_named("flatten")
def flatten(value: Any) -> list[Any]:
    """The items of the lists in a list, as one."""
    found = [each for item in list_in(value, "flatten") for each in (item if isinstance(item, list) else [item])]
    check_items(len(found))
    return found
