"""Members: what stands after a dot or in brackets.

Own data only: keys of mappings, items and `length` of lists and text, listed JavaScript methods, and what a host
exposed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from flowdsl.template.values import UNDEFINED, is_array, property_key

T = TypeVar("T")
MARK: Final = "__flow_exposed__"


class Method:
    """A function of ours: a built-in one, or a listed method with the value it belongs to. No named arguments."""

    __slots__ = ("function", "name", "targets")

    def __init__(self, name: str, function: Callable[..., Any], *targets: Any) -> None:
        self.name = name
        self.function = function
        self.targets = targets

    def __call__(self, *args: Any) -> Any:
        return self.function(*self.targets, *args)


def exposed(target: T, *names: str) -> T:
    """The object or class, with these attributes readable (and callable) in templates."""
    known: frozenset[str] = getattr(target, MARK, frozenset())
    setattr(target, MARK, known | frozenset(names))
    return target


def member(target: Any, key: Any) -> Any:
    """A member, undefined when there is none; a member of undefined or null is undefined."""
    if type(target) is dict and type(key) is str and key in target:
        return target[key]
    if target is None or target is UNDEFINED:
        return UNDEFINED
    if isinstance(target, dict):
        return _entry(target, key)
    if isinstance(target, str):
        return _indexed(target, key, "text")
    if is_array(target):
        return _indexed(target, key, "list")
    if isinstance(target, (int, float)):
        return _method(target, key, "boolean" if isinstance(target, bool) else "number")
    if isinstance(target, Mapping):
        return _entry(target, key)
    return _exposed_member(target, key)


def _entry(target: Mapping[Any, Any], key: Any) -> Any:
    text = property_key(key)
    if text in target:
        return target[text]
    if (type(key) is int or (text.isdigit() and text.isascii() and len(text) < 16)) and int(text) in target:
        return target[int(text)]  # a YAML mapping may have whole numbers as keys
    return UNDEFINED


def _indexed(target: Any, key: Any, kind: str) -> Any:
    if type(key) is int:
        return target[key] if 0 <= key < len(target) else UNDEFINED
    text = property_key(key)
    if text == "length":
        return len(target)
    if text.isdigit() and text.isascii() and (text == "0" or text[0] != "0") and len(text) < 16:
        index = int(text)
        return target[index] if index < len(target) else UNDEFINED
    return _method(target, text, kind)


def _method(target: Any, key: Any, kind: str) -> Any:
    from flowdsl.template.methods import METHODS

    name = property_key(key)
    function = METHODS[kind].get(name)
    return UNDEFINED if function is None else Method(name, function, target)


def _exposed_member(target: Any, key: Any) -> Any:
    names = getattr(type(target), MARK, None)
    if isinstance(target, type):
        names = target.__dict__.get(MARK, names)
    elif names is None or hasattr(target, "__dict__"):
        names = vars(target).get(MARK, names) if hasattr(target, "__dict__") else names
    name = property_key(key)
    if names is None or name not in names:
        return UNDEFINED
    return getattr(target, name, UNDEFINED)


def lacking(read: str, context: Mapping[str, Any], names: Mapping[str, Any]) -> tuple[str, str, list[str]] | None:
    """Of what a template reads, `root.name.name`, the map that lacks the name behind it: how it is read, that name, and
    the names that it has. None where it is no such map."""
    path = _PATH.fullmatch(read)
    if path is None:
        return None
    root = path[1]
    target: Any = context if root == "flowContext" else context.get(root, names.get(root, UNDEFINED))
    shown = root
    for part in _PARTS.finditer(path[2]):
        key = next(text for text in part.groups() if text is not None)
        found = member(target, key)
        if found is UNDEFINED:
            has = list(map(str, target)) if type(target) is dict else None
            return (shown, key, has) if has is not None else None
        target, shown = found, f"{shown}{part[0]}"
    return None


_PATH: Final = re.compile(
    r"([A-Za-z_]\w{0,99})((?:\.\w{1,99}|\[\d{1,9}\]|\['[^'\\]{0,99}'\]|\[\"[^\"\\]{0,99}\"\]){1,20})"
)
_PARTS: Final = re.compile(r"\.(\w+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")


def hidden_attribute(path: str, names: Mapping[str, Any]) -> str | None:
    """The attribute of a host's object that `root.name.name` asks for and templates may not read, as `object.name`."""
    root, *rest = path.split(".")
    target, shown = names.get(root, UNDEFINED), root
    for name in rest:
        found = member(target, name)
        if found is UNDEFINED:
            own = target is UNDEFINED or target is None or isinstance(target, (Mapping, str, int, float, list, tuple))
            return None if own or name.startswith("_") or name not in dir(target) else f"{shown}.{name}"
        target, shown = found, f"{shown}.{name}"
    return None
