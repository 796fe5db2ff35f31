"""Secrets that a run is given as plain values: what looks like a key, and what the environment holds as a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from flowdsl.secrets.plain import REVEALING, keys_in, may_be_secret

_MEANT = 12
"""A shorter secret of the environment may stand in any text: it is meant where it is the whole of one."""
_PASSWORD = re.compile(r"(?=\S*[\d+/=!@#$%^&*~]|\S{20})\S+")
"""What a word behind the name of a secret has that other words have not."""
_is_meant = lru_cache(may_be_secret)


def given_secrets(values: Mapping[str, Any], known: Iterable[str] = ()) -> Iterator[str]:
    """What is secret in values by their names: words that look like a key, those that stand behind the name of a secret
    and are no ordinary ones, and those that are `known`. Pictures are passed over: a look would read the file."""
    waiting: list[tuple[str, Any]] = [*values.items()]
    seen: dict[int, Any] = {}  # a list may hold itself; kept, so that no other value gets its id
    known = tuple(known)
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str):
            if len(value) >= REVEALING:
                yield from _in_text(name, value, known)
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen[id(value)] = value
            waiting += value.items() if isinstance(value, dict) else ((name, item) for item in value)


def _in_text(name: Any, text: str, known: Iterable[str]) -> Iterator[str]:
    yield from keys_in(text)
    yield from (secret for secret in known if secret == text or (len(secret) >= _MEANT and secret in text))
    if len(text) <= _LONGEST and isinstance(name, str) and _PASSWORD.fullmatch(text) and _is_meant(name, text):
        yield text


_LONGEST = 512
"""No key or password is longer; a text without a blank that is, is data."""


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """What environment variables hold as a secret, by their names."""
    return [
        value
        for name, value in environ.items()
        if len(value) >= REVEALING and not value.startswith(("/", "~"))
        if _is_meant(name, value)
    ]
