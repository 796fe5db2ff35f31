"""Filters that sort and group, and those on mappings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cmp_to_key
from time import thread_time
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl.template.filters.lists import items_of, path_of
from flowdsl.template.filters.record import filter_named
from flowdsl.template.limits import DEFAULT_LIMITS, limit_error
from flowdsl.template.members import member
from flowdsl.template.values import UNDEFINED, compare, is_array, own_keys, property_key, strict_eq, to_text, truthy


class _Clock:
    """Ends a sort that takes too long."""

    def __init__(self) -> None:
        self.deadline = thread_time() + DEFAULT_LIMITS.max_seconds / 2
        self.count = 0

    def tick(self) -> None:
        """Raises: TemplateError when the time is up."""
        self.count += 1
        if self.count & 1023 == 0 and thread_time() > self.deadline:
            raise limit_error("sorting takes too long", f"{DEFAULT_LIMITS.max_seconds / 2:g} s")

    def key(self, order: Callable[[Any, Any], int]) -> Any:
        """A sort key for an order."""

        def ordered(a: Any, b: Any) -> int:
            self.tick()
            return order(a, b)

        return cmp_to_key(ordered)


def _uniform(keys: list[Any]) -> bool:
    """Whether Python's own order is JavaScript's."""
    kinds = {type(key) for key in keys}
    return kinds <= {int} or (kinds == {str} and all(map(str.isascii, keys)))


@filter_named("sort", gives="items", elsewhere=("sorted",))
def sort(value: Any, reverse: Any = False, case_sensitive: Any = False, attribute: Any = UNDEFINED) -> list[Any]:
    """The items in order, or by an attribute (dots allowed); equal ones keep their order."""
    clock, exact, up = _Clock(), truthy(case_sensitive), -1 if truthy(reverse) else 1
    items = items_of(value)

    def key(item: Any) -> Any:
        found = item
        if truthy(attribute):
            clock.tick()
            found = path_of(item, attribute)
        return found if exact or not isinstance(found, str) else found.lower()

    def order(a: tuple[Any, Any], b: tuple[Any, Any]) -> int:
        if compare(a[0], b[0], "<"):
            return -up
        return up if compare(a[0], b[0], ">") else 0

    # undefined items come last whatever the order is (ECMA-262, Array.prototype.sort)
    pairs = [(key(item), item) for item in items if item is not UNDEFINED]
    uniform = _uniform([found for found, _item in pairs])
    if uniform:
        pairs.sort(key=lambda pair: pair[0], reverse=truthy(reverse))
    else:
        pairs.sort(key=clock.key(order))
    return [item for _key, item in pairs] + [UNDEFINED] * (len(items) - len(pairs))


@filter_named("dictsort", gives="list", takes="a map")
def dictsort(value: Any, case_sensitive: Any = False, by: Any = "key") -> list[Any]:
    """The `[key, value]` pairs of a mapping in order of key or value.

    Raises: TemplateError when it is no mapping.
    """
    if not isinstance(value, Mapping):
        raise TemplateError("the filter `dictsort` takes a mapping")
    if by not in ("key", "value"):
        raise TemplateError(f'the filter `dictsort` sorts by "key" or "value", not {to_text(by)}')
    side, exact = (0 if by == "key" else 1), truthy(case_sensitive)

    def order(a: list[Any], b: list[Any]) -> int:
        x, y = a[side], b[side]
        if not exact:
            x, y = (v.upper() if isinstance(v, str) else v for v in (x, y))
        if compare(x, y, ">"):
            return 1
        return 0 if strict_eq(x, y) else -1

    return sorted(([property_key(key), value[key]] for key in own_keys(value)), key=_Clock().key(order))


@filter_named("groupby", gives="map")
def groupby(value: Any, attribute: Any = UNDEFINED) -> dict[str, list[Any]]:
    """The items by the text of an attribute (dots allowed)."""
    groups: dict[str, list[Any]] = {}
    for item in items_of(value):
        key = path_of(item, attribute) if truthy(attribute) else item
        groups.setdefault(to_text(key), []).append(item)
    return groups


@filter_named("keys", gives="texts")
def keys(value: Any) -> list[Any]:
    """The keys of a mapping, the indexes of a list."""
    if is_array(value):
        return [str(index) for index in range(len(value))]
    return [property_key(key) for key in own_keys(value)] if isinstance(value, Mapping) else []


@filter_named("values", gives="list")
def values(value: Any) -> list[Any]:
    """The values of a mapping or list."""
    if is_array(value):
        return list(value)
    return [value[key] for key in own_keys(value)] if isinstance(value, Mapping) else []


@filter_named("entries", gives="list", elsewhere=("items",))
def entries(value: Any) -> list[Any]:
    """The `[key, value]` pairs of a mapping or list."""
    return [[key, item] for key, item in zip(keys(value), values(value), strict=True)]


@filter_named("fromEntries", gives="map")
def from_entries(value: Any) -> dict[str, Any]:
    """The mapping of a list of `[key, value]` pairs; of two with the same key the later one."""
    pairs = (item for item in items_of(value) if is_array(item) and len(item) > 1 and UNDEFINED not in item[:2])
    return {property_key(pair[0]): pair[1] for pair in pairs}


@filter_named("merge", gives="map")
def merge(value: Any) -> dict[str, Any]:
    """The mappings of a list as one; of two with the same key the later one."""
    merged: dict[str, Any] = {}
    for item in items_of(value):
        merged.update(item if isinstance(item, Mapping) else {})
    return merged


@filter_named("pick", gives="map")
def pick(value: Any, *names: Any) -> dict[str, Any]:
    """The mapping with these keys only; keys it does not have are left out."""
    wanted = [name for given in names for name in (given if is_array(given) else (given,))]
    found = {property_key(name): member(value, name) for name in wanted if isinstance(value, Mapping)}
    return {name: item for name, item in found.items() if item is not UNDEFINED}


@filter_named("getAttr", elsewhere=("attr",))
def get_attr(value: Any, key: Any = UNDEFINED) -> Any:
    """A member by its key or dotted path, undefined when there is none."""
    return path_of(value, key)
