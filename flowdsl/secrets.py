"""Secrets of a run: where they come from, and how they stay out of everything that is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl.template.taint import SecretText

HIDDEN = "***"
"""What stands in place of a secret."""


class Secrets:
    """The secrets a run has seen; `hide` takes them out of a text."""

    __slots__ = ("_seen", "_store")

    def __init__(self, store: Callable[[str], str | None]) -> None:
        self._store = store
        self._seen: set[str] = set()

    def secret(self, name: str) -> SecretText:
        """The template function `secret('NAME')`.

        Raises:
            TemplateError: there is no such secret.
        """
        value = self._store(str(name))
        if value is None:
            raise TemplateError(
                f"the secret `{name}` is not set", code="secret-not-set", hint=f"set the environment variable {name}"
            )
        return self.add(value)

    def add(self, value: str) -> SecretText:
        """Marks a value as secret."""
        if value:
            self._seen.add(str(value))
        return SecretText(value)

    def hide(self, text: str) -> str:
        """The text without any secret seen so far."""
        for value in sorted(self._seen, key=len, reverse=True):
            if value in text:
                text = text.replace(value, HIDDEN)
        return text

    def hide_in(self, value: Any) -> Any:
        """The value with every text inside hidden."""
        if isinstance(value, str):
            return HIDDEN if isinstance(value, SecretText) else self.hide(value)
        if type(value) is dict:
            return {key: self.hide_in(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.hide_in(item) for item in value)
        return value

    def notice(self, value: Any) -> None:
        """Takes note of every secret inside a value, so that `hide` knows what templates made of secrets."""
        if isinstance(value, SecretText):
            self._seen.add(str(value))
        elif isinstance(value, dict):
            for item in value.values():
                self.notice(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.notice(item)


def allowed(environ: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    """The environment variables that templates may read."""
    return {name: environ[name] for name in names if name in environ}
