"""Secrets in templates: text and numbers that came from a secret stay recognisable.

The mark is the type of the value, `SecretText` for text, so it goes wherever the object goes: into names, lists,
mappings, the arguments of a function. What makes a new text of it makes an unmarked one. So with `taint`
every function that a template calls is wrapped by `spreading`, members of text go through `mark_member`, loops over
text through the runtime's `items`, and printed text is joined by its `finish`; none of the shortcuts of plain templates
is taken.

Where a mark could be lost in templates (`engine.secrets` says where outside of them):

- **In a truth and in a length.** `secret('k') == 'x'` and `secret('k') | length` may be shown.
- **In what a condition lets through.** `{% if secret('k') == 'x' %}yes{% endif %}` prints an unmarked `yes`.
- **Deeper than 20 levels**, and inside objects of the host: there nobody looks.
- **In a host's function** that is handed no secret and gives one. It has to give `SecretText`, as `secret` does.
- **In new code that joins text itself**: an f-string, `"".join`, `+` or a method of `str` gives plain `str`. Call such
  code through `Runtime.wrap`.
- **Without `taint`**: then nothing is marked at all. A flow is compiled without it when none of its files names a
  secret or has an escape that could spell the word, and its host brings no steps and nothing but plain values.

A failure of a function that was handed a secret says what failed, and shows nothing of the secret: see `spreading`.
"""

from __future__ import annotations

from collections import UserList, deque
from collections.abc import Callable, ItemsView, KeysView, Mapping, ValuesView
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


LISTS = (list, tuple, set, frozenset, deque, UserList, KeysView, ValuesView, ItemsView)
"""The classes of values that hold others, without names."""
PLAIN = frozenset((str, int, float, bool, type(None)))
"""The classes of values that hold nothing, and bear no mark."""


def holds_secret(value: Any, depth: int = 0) -> bool:
    """Whether a value, which stands in `depth` others, is or holds secret text; below 20 nobody looks."""
    if value.__class__ in PLAIN:
        return False
    if isinstance(value, Marked):
        return True
    if depth > 20:
        return False
    if isinstance(value, LISTS):
        return any(holds_secret(item, depth + 1) for item in value)
    if (values := as_map(value)) is not None:
        for key, item in values.items():  # asked of the inputs of every run
            if isinstance(key, Marked) or (item.__class__ not in PLAIN and holds_secret(item, depth + 1)):
                return True
        return False
    if isinstance(value, Method):
        return any(holds_secret(target, depth + 1) for target in value.targets)
    return False


def mark(value: Any, depth: int = 0) -> Any:
    """The value, which stands in `depth` others, with all its text and numbers marked as secret, down to 20."""
    if isinstance(value, (Marked, bool)):
        return value
    if isinstance(value, str):
        return SecretText(value)
    if isinstance(value, int):
        return SecretInteger(value)
    if isinstance(value, float):
        return SecretNumber(value)
    if depth > 20:
        return value
    if isinstance(value, list):
        return [mark(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {mark(key, depth + 1): mark(item, depth + 1) for key, item in value.items()}
    if type(value) in (tuple, set, frozenset):
        return type(value)(mark(item, depth + 1) for item in value)
    plain = as_plain(value)
    return value if plain is None else mark(plain, depth)


def as_map(value: Any) -> Mapping[Any, Any] | None:
    """A mapping of any kind; None for what is none, and for pictures and bytes, which say themselves what they show."""
    if isinstance(value, dict) or (isinstance(value, Mapping) and not hasattr(value, "to_json")):
        return value
    return None


def as_plain(value: Any) -> dict[Any, Any] | list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any] | None:
    """A container of a kind of its own, such as a named tuple, as the plain one; None for what is no container."""
    values = as_map(value)
    if values is not None:
        return dict(values)
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return kind(value)
    return list(value) if isinstance(value, LISTS) else None


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


def _secrets_in(value: Any, depth: int = 0) -> list[str]:
    """The texts of all that is marked in a value."""
    if isinstance(value, Marked):
        return [str(value)]
    if (values := as_map(value)) is not None:
        value = [*values.keys(), *values.values()]
    if isinstance(value, LISTS) and depth <= 20:
        return [text for item in value for text in _secrets_in(item, depth + 1)]
    return []


def hide_in_failure(error: TemplateError, given: tuple[Any, ...]) -> None:
    """Takes the secrets of what a function was given out of what its failure says; a message that still holds a part
    of one goes as a whole."""
    secrets = _secrets_in(given)
    ordered = sorted(filter(None, secrets), key=len, reverse=True)
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
