"""Secrets in templates: text that came from a secret stays recognisable.

The mark is the type of the text, `SecretText`, so it goes wherever the object goes: into names, lists, mappings, the
arguments of a function. What makes a new text of it makes an unmarked one. So with `taint` every function that a
template calls is wrapped by `spreading`, members of text go through `mark_member`, loops over text through the
runtime's `items`, and printed text is joined by its `finish`; none of the shortcuts of plain templates is taken.

Where a mark could be lost:

- **In what is no text.** A length, a number, a truth made of a secret carries no mark. That is meant: `secret('k') |
  length` may be shown.
- **In what a condition lets through.** `{% if secret('k') == 'x' %}yes{% endif %}` prints an unmarked `yes`.
- **In the keys of a mapping.** `mark` and `holds_secret` look at values only; `groupby` and `JSON.parse` make keys of
  text.
- **Deeper than 20 levels**, and inside objects of the host: there nobody looks.
- **In a host's function** that is handed no secret and gives one. It has to give `SecretText`, as `secret` does.
- **In new code that joins text itself**: an f-string, `"".join`, `+` or a method of `str` gives plain `str`. Call such
  code through `Runtime.wrap`.
- **Without `taint`**: then nothing is marked at all. A flow is compiled without it when its file names no secret, has
  no escape that could spell the word, and takes in no other file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowdsl.template.members import Method


class SecretText(str):
    """Text that holds a secret, whole or in part; hide it before it is shown."""

    __slots__ = ()


def holds_secret(value: Any, depth: int = 0) -> bool:
    """Whether a value, which stands in `depth` others, is or holds secret text; below 20 nobody looks."""
    if isinstance(value, SecretText):
        return True
    if depth > 20:
        return False
    if isinstance(value, (list, tuple)):
        return any(holds_secret(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return any(holds_secret(item, depth + 1) for item in value.values())
    if isinstance(value, Method):
        return any(holds_secret(target, depth + 1) for target in value.targets)
    return False


def mark(value: Any, depth: int = 0) -> Any:
    """The value, which stands in `depth` others, with all its text marked as secret, down to 20."""
    if isinstance(value, str):
        return SecretText(value)
    if depth > 20:
        return value
    if isinstance(value, list):
        return [mark(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: mark(item, depth + 1) for key, item in value.items()}
    return value


def spreading(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its result marked when an argument holds a secret."""

    def spread(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if any(map(holds_secret, args)) or (kwargs and any(map(holds_secret, kwargs.values()))):
            return mark(result)
        return result

    return spread


def mark_member(value: Any, target: Any) -> Any:
    """A member of secret text is secret; a member of a list or mapping is what it was."""
    return mark(value) if isinstance(target, SecretText) and not isinstance(target, Mapping) else value
