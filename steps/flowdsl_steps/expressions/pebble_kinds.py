"""What kind of value the names of a Kestra flow have, as far as the flow that it became says it.

In: the steps that came before, as they stand in that flow. Out: a `Kind`, from which it follows whether a template of
this language prints, compares and changes a value as Pebble does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flowdsl.template.foreign import ForeignText

_NAMED = re.compile(r"\{\{ flowContext\.(\w+)( \| length)? \}\}")
"""A template that a dialect writes: a key of the FlowContext, or its length."""
_BRACES = re.compile(r"\{\{ '(\{+)' \}\}")
_TYPES = {"string": "text", "integer": "whole", "boolean": "truth", "number": "fraction", "null": "null"}


class Kind(NamedTuple):
    """What a value can be: `names` are some of text, whole, truth, fraction, null, list, map, undefined.

    `item` is what stands in a list, or in a map of which nobody knows the keys; `members` those of another map.
    `values` is all that it can be, where that is known.
    """

    names: frozenset[str]
    item: Kind | None = None
    members: Mapping[str, Kind] | None = None
    values: tuple[Any, ...] | None = None

    def within(self, *names: str) -> bool:
        """Whether it is one of these for sure."""
        return bool(self.names) and self.names <= {*names}

    def member(self, key: str | int | None) -> Kind | None:
        """What stands at a key of a map, or in a list; None where nobody knows. A key of None is known in the run."""
        if self.within("map") and self.members is not None:
            return self.members.get(key) if isinstance(key, str) else united(self.members.values())
        if self.within("map") and not isinstance(key, int):
            return self.item
        return self.item if self.within("list") and not isinstance(key, str) else None


def _one(name: str) -> Kind:
    return Kind(frozenset((name,)))


TEXT, WHOLE, TRUTH, NULL, UNDEFINED = map(_one, ("text", "whole", "truth", "null", "undefined"))
_TOKENS = dict.fromkeys(("inputTokenCount", "outputTokenCount", "totalTokenCount"), WHOLE)
IMAGE = Kind(
    frozenset(("map",)),
    members={
        "imageUrl": TEXT,
        "finishReason": TEXT,
        "tokenUsage": Kind(frozenset(("map",)), members=_TOKENS),
    },
)
"""What an image task gives."""


def list_of(item: Kind | None) -> Kind:
    """A list of such items."""
    return Kind(frozenset(("list",)), item)


def map_of(item: Kind | None) -> Kind:
    """A map from keys that nobody knows to such values."""
    return Kind(frozenset(("map",)), item)


def constant(value: Any) -> Kind:
    """The kind of a value as it stands in a file."""
    if isinstance(value, list):
        return Kind(frozenset(("list",)), united(map(constant, value)), values=(value,))
    if isinstance(value, Mapping):
        return Kind(frozenset(("map",)), members={k: constant(v) for k, v in value.items()}, values=(value,))
    kinds = {str: "text", bool: "truth", int: "whole", float: "fraction"}
    name = "null" if value is None else kinds.get(type(value), "undefined")
    return Kind(frozenset((name,)), values=(value,))


def united(kinds: Iterable[Kind | None]) -> Kind | None:
    """What is one of several kinds; None where one of them is unknown, or there are none."""
    found: Kind | None = None
    for kind in kinds:
        if kind is None:
            return None
        found = kind if found is None else _either(found, kind)
    return found


def _either(one: Kind, other: Kind) -> Kind:
    members = None
    if one.members is not None and other.members is not None:
        shared = {key: united((one.members[key], other.members[key])) for key in one.members if key in other.members}
        members = {key: kind for key, kind in shared.items() if kind is not None}
    values = None if one.values is None or other.values is None else (*one.values, *other.values)
    item = united((one.item, other.item)) if one.item is not None and other.item is not None else None
    return Kind(one.names | other.names, item, members, values)


def of_input(declared: Any) -> Kind | None:
    """The kind of an input, by its JSON Schema."""
    if not isinstance(declared, Mapping):
        return None
    if "anyOf" in declared:
        return united(map(of_input, declared["anyOf"]))
    name = declared.get("type")
    if name == "array":
        return list_of(of_input(declared.get("items")))
    values = tuple(declared["enum"]) if isinstance(declared.get("enum"), list) else None
    if name is None and values:
        return united(map(constant, values))
    return Kind(frozenset((_TYPES[name],)), values=values) if isinstance(name, str) and name in _TYPES else None


def of_key(key: str, steps: Sequence[Mapping[str, Any]]) -> Kind | None:
    """The kind of a FlowContext key, as the last of these steps that writes it says; None where none does."""
    for at in range(len(steps) - 1, -1, -1):
        step, before = steps[at], steps[:at]
        if step.get("step") == "SET" and key in step:
            return of_value(step[key], before)
        if step.get("step") == "IMAGE_GENERATION" and {"type": "object", "name": key} in step.get("outputs", ()):
            return IMAGE
        if step.get("step") == "FOR":
            if key == step.get("collectKey"):
                return list_of(of_value(step["collect"], steps))
            if key == step.get("var"):
                return WHOLE if "start" in step else _of_items(step.get("items"))
            if key == f"{step.get('var')}_index":
                return WHOLE
    return None


def _of_items(items: Any) -> Kind:
    """What a loop of Kestra runs through: texts, whatever was written."""
    if isinstance(items, list) and not any(isinstance(item, ForeignText) for item in items):
        return united(constant(_plain(item)) for item in items) or TEXT
    return TEXT


def of_value(value: Any, before: Sequence[Mapping[str, Any]]) -> Kind | None:
    """The kind of a value that a step sets, behind these steps."""
    if isinstance(value, ForeignText):
        told = getattr(value.language, "kind", None)
        found: Kind | None = told(value, lambda key: of_key(key, before)) if told is not None else None
        return found
    if isinstance(value, Mapping):
        if _is_constant(value):
            return constant(_plain(value))
        members = {key: of_value(each, before) for key, each in value.items()}
        return Kind(frozenset(("map",)), members={key: kind for key, kind in members.items() if kind is not None})
    if isinstance(value, list):
        is_constant = _is_constant(value)
        return constant(_plain(value)) if is_constant else list_of(united(of_value(item, before) for item in value))
    named = _NAMED.fullmatch(value) if isinstance(value, str) else None
    if named is not None:
        return WHOLE if named[2] else of_key(named[1], before)
    return constant(_plain(value))


def _is_constant(value: Any) -> bool:
    """Whether a value is known before the run."""
    if isinstance(value, Mapping):
        return all(map(_is_constant, value.values()))
    if isinstance(value, list):
        return all(map(_is_constant, value))
    return not isinstance(value, ForeignText) and not (isinstance(value, str) and "{" in _BRACES.sub("", value))


def _plain(value: Any) -> Any:
    """A value with its texts as the file has them, where the flow shields their braces."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [*map(_plain, value)]
    return _BRACES.sub(r"\1", value) if isinstance(value, str) else value


def shielded(text: str) -> str:
    """A text as a template that gives it, whatever braces are in it."""
    return re.sub(r"\{+", r"{{ '\g<0>' }}", text)
