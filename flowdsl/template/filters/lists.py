"""Filters on lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl.template.filters.record import filter_named
from flowdsl.template.filters.text import text_of
from flowdsl.template.limits import check_items
from flowdsl.template.members import member
from flowdsl.template.methods import includes as list_includes
from flowdsl.template.numbers import remainder, to_integer
from flowdsl.template.operators import add
from flowdsl.template.values import (
    UNDEFINED,
    is_array,
    join_texts,
    own_keys,
    property_key,
    strict_eq,
    to_number,
    to_text,
    truthy,
)


def items_of(value: Any) -> list[Any]:
    """The items of a list, the characters of a text; nothing else has items."""
    return list(value) if isinstance(value, (list, tuple, str)) else []


def path_of(value: Any, path: Any) -> Any:
    """A member by a dotted path; a key that itself holds the dots comes first."""
    found = member(value, path)
    if found is UNDEFINED and isinstance(path, str) and "." in path:
        found = value
        for part in path.split("."):
            found = member(found, part)
    return found


@filter_named("batch", gives="rows")
def batch(value: Any, size: Any = UNDEFINED, fill: Any = UNDEFINED) -> list[Any]:
    """The items in rows of `size`; the last row is filled up with a `fill` that is true."""
    width = to_number(size)
    rows: list[list[Any]] = []
    for index, item in enumerate(items_of(value)):
        if not rows or remainder(index, width) == 0:
            rows.append([])
        rows[-1].append(item)
    if rows and truthy(fill):
        missing = to_integer(width) - len(rows[-1])
        check_items(missing)
        rows[-1].extend([fill] * missing)
    return rows


@filter_named("slice", gives="rows")
def columns(value: Any, count: Any = UNDEFINED, fill: Any = UNDEFINED) -> list[Any]:
    """The items in so many columns; short ones are filled with a `fill` that is true."""
    items: Any = value if isinstance(value, str) else items_of(value)
    total = to_integer(to_number(count))
    check_items(total)
    if total <= 0:
        return []
    size, extra = divmod(len(items), total)
    found, offset = [], 0
    for index in range(total):
        end = offset + size + (index < extra)
        column = items[offset:end]
        if truthy(fill) and index >= extra:
            column = column + (to_text(fill) if isinstance(column, str) else [fill])
        found.append(column)
        offset = end
    return found


@filter_named("first", gives="item", quick=True, shows_value=True)
def first(value: Any) -> Any:
    """The first item or character, undefined when there is none."""
    return member(value, 0)


@filter_named("last", gives="item", quick=True, shows_value=True)
def last(value: Any) -> Any:
    """The last item or character, undefined when there is none."""
    return value[-1] if isinstance(value, (list, tuple, str)) and value else UNDEFINED


@filter_named("join", gives="text", needs_value=True)
def join(value: Any, separator: Any = "", attribute: Any = UNDEFINED) -> str:
    """The texts of the items, or of one attribute of each, between separators."""
    if not is_array(value):
        return text_of(value)
    items = [member(item, attribute) for item in value] if truthy(attribute) else value
    return join_texts(items, to_text(separator) if truthy(separator) else "")


@filter_named("list", gives="items", takes="a list, text or map")
def to_list(value: Any) -> Any:
    """The characters of a text, `{key, value}` of a mapping's entries, a list itself.

    Raises: TemplateError for anything else.
    """
    if is_array(value):
        return value
    if isinstance(value, str):
        check_items(len(value))
        return list(value)
    if isinstance(value, Mapping):
        return [{"key": property_key(key), "value": value[key]} for key in own_keys(value)]
    if value is None or value is UNDEFINED:
        return []
    raise TemplateError(f"the filter `list` takes a list, text or mapping, not {to_text(value)}")


@filter_named("reverse", gives="reversed", keeps_safe=True, elsewhere=("reversed",))
def reverse(value: Any) -> Any:
    """The list or text, last first."""
    return value[::-1] if isinstance(value, str) else items_of(value)[::-1]


@filter_named("sum", gives="sum")
def total(value: Any, attribute: Any = UNDEFINED, start: Any = 0) -> Any:
    """The sum of the items, or of one attribute of each, added to `start`."""
    result: Any = 0
    for item in items_of(value):
        result = add(result, member(item, attribute) if truthy(attribute) else item)
    return add(start, result)


def _tested(value: Any, test: Any, args: tuple[Any, ...], wanted: bool) -> list[Any]:
    from flowdsl.template.tests import TESTS

    name = "null" if test is None else to_text(test)
    if name not in TESTS:
        raise TemplateError(f"there is no test named `{name}`", code="unknown-test")
    accepts = TESTS[name]
    return [item for item in items_of(value) if accepts(item, *args) is wanted]


@filter_named("select", gives="items")
def select(value: Any, test: Any = "truthy", *args: Any) -> list[Any]:
    """The items that pass a test."""
    return _tested(value, test, args, wanted=True)


@filter_named("reject", gives="items")
def reject(value: Any, test: Any = "truthy", *args: Any) -> list[Any]:
    """The items that fail a test."""
    return _tested(value, test, args, wanted=False)


def _by_attribute(value: Any, name: Any, test: Any, args: tuple[Any, ...], wanted: bool) -> list[Any]:
    from flowdsl.template.tests import TESTS

    accepts = TESTS.get(to_text(test))
    if accepts is None:
        raise TemplateError(f"there is no test named `{to_text(test)}`", code="unknown-test")
    items = value if is_array(value) else []
    return [item for item in items if accepts(path_of(item, name), *args) is wanted]


@filter_named("selectattr", gives="items")
def selectattr(value: Any, name: Any = UNDEFINED, test: Any = "truthy", *args: Any) -> list[Any]:
    """The items whose attribute is true, or passes a test."""
    return _by_attribute(value, name, test, args, wanted=True)


@filter_named("rejectattr", gives="items")
def rejectattr(value: Any, name: Any = UNDEFINED, test: Any = "truthy", *args: Any) -> list[Any]:
    """The items whose attribute is false, or fails a test."""
    return _by_attribute(value, name, test, args, wanted=False)


@filter_named("random", gives="item", varies=True)
def random_item(value: Any) -> Any:
    """One item, by chance."""
    from flowdsl.template.chance import choice

    items = items_of(value)
    return choice(items) if items else UNDEFINED


@filter_named("find")
def find(value: Any, key: Any = UNDEFINED, wanted: Any = UNDEFINED) -> Any:
    """The first item whose member equals (`===`) a value, undefined when there is none."""
    return next((item for item in items_of(value) if strict_eq(path_of(item, key), wanted)), UNDEFINED)


@filter_named("pluck", gives="list", elsewhere=("map",))
def pluck(value: Any, path: Any = UNDEFINED) -> list[Any]:
    """One member of each item, by a dotted path."""
    return [path_of(item, path) for item in items_of(value)]


@filter_named("compact", gives="items")
def compact(value: Any) -> list[Any]:
    """The items that are true."""
    return [item for item in items_of(value) if truthy(item)]


@filter_named("contains", "includes", gives="boolean")
def includes(value: Any, wanted: Any = UNDEFINED) -> bool:
    """Whether a list holds an item, a text a part, a mapping a key."""
    if isinstance(value, str):
        return to_text(wanted) in value
    if isinstance(value, Mapping):
        return member(value, wanted) is not UNDEFINED
    return is_array(value) and list_includes(value, wanted)


@filter_named("unique", gives="items")
def unique(value: Any) -> list[Any]:
    """The items without repetitions (`===`)."""
    seen: set[Any] = set()
    found = []
    for item in items_of(value):
        if isinstance(item, str):
            key: Any = ("text", str(item))
        elif isinstance(item, (bool, type(None))) or item is UNDEFINED:
            key = ("word", repr(item))
        elif isinstance(item, (int, float)):
            key = ("number", item if item == item else "NaN")
        else:
            key = ("object", id(item))
        if key not in seen:
            seen.add(key)
            found.append(item)
    return found


@filter_named("flatten", gives="list")
def flatten(value: Any) -> list[Any]:
    """The items, with one level of inner lists opened."""
    items = items_of(value)
    check_items(sum(len(item) if is_array(item) else 1 for item in items))
    return [inner for item in items for inner in (item if is_array(item) else (item,))]


@filter_named("chunk", gives="rows")
def chunk(value: Any, size: Any = 1) -> list[Any]:
    """The items in rows of `size`.

    Raises: TemplateError when the size is below 1.
    """
    width = to_integer(to_number(size))
    if width < 1:
        raise TemplateError(f"the filter `chunk` takes a size of at least 1, not {to_text(size)}")
    items = items_of(value)
    return [items[at : at + width] for at in range(0, len(items), width)]
