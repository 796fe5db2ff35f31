"""Secrets in templates: text that came from a secret stays recognisable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowdsl.template.members import Method


class SecretText(str):
    """Text that holds a secret, whole or in part; hide it before it is shown."""

    __slots__ = ()


def holds_secret(value: Any, depth: int = 0) -> bool:
    """Whether a value is, or holds, secret text."""
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
    """The value with all its text marked as secret."""
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
