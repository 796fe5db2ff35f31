"""What a test expects beside what came: where they differ, in words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.display.visible import visible_line
from flowdsl.document.flow_tests import matcher
from flowdsl.secrets.plain import without_keys

if TYPE_CHECKING:
    from flowdsl.syntax.node import Node

_SHOWN = 400
_NEAR = 40
_MILLIONTH = 1e-6
_ABSENT = object()


class Difference(NamedTuple):
    """One place where a run differs from what its test expects. `place` is the line of the expectation
    (`a.test.yaml:12`), `at` what it is about (`outputs.title`); `is_snapshot` says that another snapshot settles it."""

    place: str
    at: str
    expected: str
    found: str
    is_snapshot: bool = False

    def text(self) -> str:
        """The difference for people, in three lines."""
        lines = [f"{self.at}  ({self.place})", f"  expected  {self.expected}", f"  found     {self.found}"]
        return "\n".join(map(visible_line, lines))


def differences(expected: Node, found: Any, at: str) -> Iterator[Difference]:
    """Where a value differs from what is expected of it. Values are JSON's."""
    words = matcher(expected)
    if words is not None:
        yield from _matched(words, expected, found, at)
    else:
        yield from _equal(expected, found, at)


def facts(expected: Node, found: Mapping[str, Any], at: str) -> Iterator[Difference]:
    """Where the entries that are expected of a map differ from those it has; it may have others."""
    for name, node in expected.value.items():
        if name not in found:
            there = ", ".join(str(key) for key in found) or "nothing"
            yield difference(node, f"{at}.{name}", shown(node.plain()), f"no `{name}`; there is {there}")
        else:
            yield from differences(node, found[name], f"{at}.{name}")


def difference(node: Node, at: str, expected: str, found: str) -> Difference:
    """A difference at a place of the test."""
    return Difference(place_of(node), at, expected, found)


def place_of(node: Node) -> str:
    """File and line of a node."""
    return f"{node.span.path}:{node.span.first.line}"


def _equal(expected: Node, found: Any, at: str) -> Iterator[Difference]:
    if expected.kind == "map" and isinstance(found, Mapping):
        yield from facts(expected, found, at)
        for name in found:
            if name not in expected.value:
                yield difference(expected, f"{at}.{name}", "nothing: `has` allows more", shown(found[name]))
        return
    if expected.kind == "list" and isinstance(found, (list, tuple)):
        for index, node in enumerate(expected.value):
            if index >= len(found):
                yield difference(node, f"{at}[{index}]", shown(node.plain()), f"nothing: {_items(len(found))}")
            else:
                yield from differences(node, found[index], f"{at}[{index}]")
        if len(found) > len(expected.value):
            more = f"{_items(len(found))}, the next is {shown(found[len(expected.value)])}"
            yield difference(expected, at, _items(len(expected.value)), more)
        return
    plain = expected.plain()
    if not same(plain, found):
        yield difference(expected, at, shown(plain), _beside(plain, found))


def same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are equal: `true` is no number, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def _beside(plain: Any, found: Any) -> str:
    """A value that differs from another one; of texts that begin alike, from where they differ."""
    if isinstance(plain, str) and isinstance(found, str) and without_keys(found) == found:  # a part of a key may show
        alike = next((index for index, pair in enumerate(zip(plain, found, strict=False)) if pair[0] != pair[1]), None)
        alike = min(len(plain), len(found)) if alike is None else alike
        if alike > _NEAR:
            begin = alike - _NEAR // 2
            return f"{shown(found)}; it differs from character {alike + 1} on: …{shown(found[begin : alike + _NEAR])}"
        return shown(found)
    kinds = [type(value) for value in (plain, found)]
    if str(plain) == str(found) and kinds[0] is not kinds[1]:
        return f"{shown(found)}, which is {_kind(found)}, and {_kind(plain)} is expected"
    return shown(found)


def _matched(words: Mapping[str, Node], expected: Node, found: Any, at: str) -> Iterator[Difference]:
    for word, node in words.items():
        if word == "has":
            if isinstance(found, Mapping):
                yield from facts(node, found, at)
            else:
                yield difference(node, at, "a map", shown(found))
        elif word == "equals":
            yield from () if same(node.plain(), found) else [difference(node, at, shown(node.plain()), shown(found))]
        elif word == "not":
            if not any(differences(node, found, at)):
                yield difference(node, at, f"anything but {shown(node.plain())}", shown(found))
        elif word != "within":
            yield from _word(word, node, words, found, at)


def _word(word: str, node: Node, words: Mapping[str, Node], found: Any, at: str) -> Iterator[Difference]:
    plain = node.plain()
    if word == "matches":
        if not isinstance(found, str) or re.search(plain, found) is None:
            yield difference(node, at, f"a text that matches `{plain}`", shown(found))
    elif word == "contains":
        if isinstance(found, str):
            holds = isinstance(plain, str) and plain in found
        else:
            holds = isinstance(found, (list, tuple)) and any(not any(differences(node, item, at)) for item in found)
        if not holds:
            yield difference(node, at, f"something that contains {shown(plain)}", shown(found))
    elif word == "count":
        length = len(found) if isinstance(found, (str, list, tuple, Mapping)) else None
        if length != plain:
            said = shown(found) if length is None else f"the length {length}: {shown(found)}"
            yield difference(node, at, f"the length {plain}", said)
    elif word == "close":
        within = words["within"].plain() if "within" in words else abs(plain) * _MILLIONTH
        is_number = isinstance(found, (int, float)) and not isinstance(found, bool) and math.isfinite(found)
        if not is_number or abs(found - plain) > within:
            yield difference(node, at, f"{plain} ± {within:g}", shown(found))
    elif word == "schema":
        from flowdsl.checker.inputs import misfits
        from flowdsl.errors import ConfigError

        try:
            for path, said in misfits(plain, found):
                inner = "".join(f"[{part!r}]" for part in path)
                yield difference(node, f"{at}{inner}", "what fits the schema", said)
        except ConfigError as error:
            yield difference(node, at, "a schema that can be used", error.message)


def shown(value: Any) -> str:
    """A value in a line, as JSON."""
    import json

    text = visible_line(without_keys(json.dumps(value, ensure_ascii=False, default=str)))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} … {text[-_SHOWN // 2 :]}"


def _items(number: int) -> str:
    return f"{number} item{'' if number == 1 else 's'}"


def _kind(value: Any) -> str:
    names = {bool: "a boolean", str: "a text", int: "a number", float: "a number", type(None): "null"}
    return names.get(type(value), "another value")
