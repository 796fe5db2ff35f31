"""Secrets in templates: text and numbers that came from a secret stay recognisable.

The mark is the type of the value, `SecretText` for text, so it goes wherever the object goes: into names, lists,
mappings, the arguments of a function. What makes a new text of it makes an unmarked one. So with `taint`
every function that a template calls is wrapped by `spreading`, members of text go through `mark_member`, loops over
text through the runtime's `items`, and printed text is joined by its `finish`; none of the shortcuts of plain templates
is taken.

Where a mark could be lost in templates (`engine.secrets` says where outside of them):

- **In a truth and in a length.** `secret('k') == 'x'` and `secret('k') | length` may be shown.
- **In what a condition lets through.** `{% if secret('k') == 'x' %}yes{% endif %}` prints an unmarked `yes`.
- **Inside objects of the host**: there nobody looks.
- **In a host's function** that is handed no secret and gives one. It has to give `SecretText`, as `secret` does.
- **In new code that joins text itself**: an f-string, `"".join`, `+` or a method of `str` gives plain `str`. Call such
  code through `Runtime.wrap`.
- **Without `taint`**: then nothing is marked at all. A flow is compiled without it when none of its files names a
  secret or has an escape that could spell the word, and its host brings no steps and nothing but plain values.

A failure of a function that was handed a secret says what failed, and shows nothing of the secret: see `spreading`.
"""

from __future__ import annotations

import sys
from collections import UserList, deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl.template.members import Method


class Marked:
    """A value that is a secret, or was made of one; hide it before it is shown."""

    __slots__ = ()


class SecretText(str, Marked):
    """Text that holds a secret, whole or in part; hide it before it is shown."""

    __slots__ = ()


class SecretInteger(int, Marked):
    """A whole number that was made of a secret."""

    __slots__ = ()


class SecretNumber(float, Marked):
    """A number that was made of a secret."""

    __slots__ = ()


class SecretBytes(bytes, Marked):
    """Bytes that were made of a secret."""

    __slots__ = ()


LISTS = (list, tuple, set, frozenset, deque, UserList, KeysView, ValuesView, ItemsView)
"""The classes of values that hold others, without names."""
PLAIN = frozenset((str, int, float, bool, type(None)))
"""The classes of values that hold nothing, and bear no mark."""


def holds_secret(value: Any) -> bool:
    """Whether a value is or holds secret text."""
    if value.__class__ in PLAIN:
        return False
    return isinstance(value, Marked) or next(_marked_in(value), None) is not None


def _marked_in(value: Any) -> Iterator[Marked]:
    """All that is marked inside a value. Each list and map is looked into once, however many hold it."""
    waiting: list[Any] = [value]
    seen: dict[int, Any] = {}  # kept, so that no other value gets its id
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):  # asked of the inputs of every run
            items = [*value, *value.values()]
        elif isinstance(value, LISTS):
            items = [*value]
        elif (values := as_map(value)) is not None:
            items = [*values, *values.values()]
        elif isinstance(value, Method):
            items = [*value.targets]
        else:
            continue
        for item in items:
            if item.__class__ in PLAIN:
                continue
            if isinstance(item, Marked):
                yield item
            elif id(item) not in seen:
                seen[id(item)] = item
                waiting.append(item)


def mark(value: Any) -> Any:
    """The value with all its text and numbers marked as secret."""
    return _marked(value) if value.__class__ in PLAIN else rebuilt(value, _marked)


def _marked(value: Any) -> Any:
    """What is no container, marked."""
    if value.__class__ is str:
        return SecretText(value)
    if isinstance(value, (Marked, bool)):
        return value
    if isinstance(value, str):
        return SecretText(value)
    if isinstance(value, int):
        return SecretInteger(value)
    if isinstance(value, float):
        return SecretNumber(value)
    if isinstance(value, (bytes, bytearray, memoryview)) or type(value).__module__ == "array":
        return SecretBytes(value)
    if hasattr(value, "as_integer_ratio"):  # a Decimal, a Fraction
        from flowdsl.template.values import to_number

        return _marked(to_number(value))
    text = own_text(value)
    return value if text is None else SecretText(text)


def own_text(value: Any) -> str | None:
    """What a value that is no container says as its text: a path, a number of another kind, an exception. None for what
    has none, and for an object of the host: what it says of itself may hold its key."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    said: Any = kind.__str__
    if said is object.__str__ or not (package in sys.stdlib_module_names or package == "flowdsl"):
        return None
    try:
        return str(value)
    except Exception:  # noqa: BLE001  of what it holds
        return None


def rebuilt(value: Any, leaf: Callable[[Any], Any], key: Callable[[Any], Any] | None = None) -> Any:
    """The value with what `leaf` gives in the place of all that is no container, and `key` in that of keys.

    Each list and map is made once, however many hold it, and one that holds itself still does. Those of a kind of
    their own, such as a named tuple, become plain ones, unless nothing in them changes.
    """
    return _Rebuilding(leaf, key or leaf).of(value)


class _Rebuilding:
    """One walk over a value."""

    __slots__ = ("_changes", "_done", "_key", "_leaf")

    def __init__(self, leaf: Callable[[Any], Any], key: Callable[[Any], Any]) -> None:
        self._leaf = leaf
        self._key = key
        self._changes = 0
        self._done: dict[int, tuple[Any, Any, bool]] = {}
        """By the id of a container: itself, so that no other gets its id, what it became, and whether that differs."""

    def of(self, value: Any) -> Any:
        """What a value becomes."""
        found = self._done.get(id(value))
        if found is not None:
            self._changes += found[2]
            return found[1]
        before, leaf, rename = self._changes, self._leaf, self._key
        values = value if value.__class__ is dict else None if value.__class__ is list else as_map(value)
        if values is not None:
            new: Any = {}
            self._done[id(value)] = value, new, False
            for key, item in values.items():
                name = rename(key)
                if item.__class__ in PLAIN:
                    new[name] = made = leaf(item)
                    if made is not item or name is not key:
                        self._changes += 1
                else:
                    new[name] = self.of(item)
                    self._changes += name is not key
        elif isinstance(value, LISTS):
            new = []
            kind = next((kind for kind in (tuple, set, frozenset) if isinstance(value, kind)), None)
            if kind is None:
                self._done[id(value)] = value, new, False
            for item in value:
                if item.__class__ in PLAIN:
                    new.append(made := leaf(item))
                    if made is not item:
                        self._changes += 1
                else:
                    new.append(self.of(item))
            new = new if kind is None else kind(new)
        else:
            made = leaf(value)
            self._changes += made is not value
            return made
        is_changed = self._changes > before
        if new.__class__ is not value.__class__ and not is_changed:
            new = value
        self._done[id(value)] = value, new, is_changed
        return new


def as_map(value: Any) -> Mapping[Any, Any] | None:
    """A mapping of any kind; None for what is none, and for pictures and bytes, which say themselves what they show."""
    if isinstance(value, dict) or (isinstance(value, Mapping) and not hasattr(value, "to_json")):
        return value
    return None


def spreading(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its result marked, and its failure without a trace of it, when an argument holds a secret."""

    def spread(*args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
        except TemplateError as error:
            hide_in_failure(error, (*args, *kwargs.values()))
            raise
        if type(result) is int and args and result == _length(args[0]):
            return result
        if any(map(holds_secret, args)) or (kwargs and any(map(holds_secret, kwargs.values()))):
            return mark(result)
        return result

    return spread


def mark_member(value: Any, target: Any) -> Any:
    """A member of secret text is secret; a member of a list or mapping is what it was."""
    if isinstance(value, int) or not isinstance(target, SecretText) or isinstance(target, Mapping):
        return value  # of a text, only its length is a number
    return mark(value)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, list)) else -1


_TRACE = 4
"""So many characters of a secret in a row in a message give the message up as a whole."""


def hide_in_failure(error: TemplateError, given: tuple[Any, ...]) -> None:
    """Takes the secrets of what a function was given out of what its failure says; a message that still holds a part
    of one goes as a whole."""
    secrets = {*map(str, _marked_in(given))}
    ordered = sorted(filter(None, secrets), key=lambda secret: (-len(secret), secret))  # the same in every process
    for name in ("message", "hint"):
        said = getattr(error, name)
        if said is None:
            continue
        shown = _without(said, ordered)
        if shown is None and name == "message":
            shown = "this fails on a secret, which is not shown"
        setattr(error, name, shown)
    if secrets:
        error.args = (error.message,)
        error.__cause__ = None


def _without(text: str, secrets: list[str]) -> str | None:
    """The text with `***` for each secret, of which the longest stand first; None when a part of one is left."""
    pieces: set[str] | None = None
    for secret in secrets:
        if len(secret) < _TRACE:
            if secret in text:
                return None
            continue
        if secret in text:
            text, pieces = text.replace(secret, "***"), None
        if pieces is None:
            pieces = {text[at : at + _TRACE] for at in range(len(text) - _TRACE + 1)}
        if any(secret[at : at + _TRACE] in pieces for at in range(len(secret) - _TRACE + 1)):
            return None
    return text
