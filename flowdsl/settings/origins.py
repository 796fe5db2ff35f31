"""What settings files say, each setting with the line it comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowdsl.settings.files import Settings, secrets_in
from flowdsl.settings.mistakes import place
from flowdsl.source import Source

DEFAULTS: Mapping[str, Any] = {
    "select": "all codes",
    "ignore": [],
    "exclude": [],
    "fail-on": "error",
    "metadata": "basic",
    "private_addresses": False,
}
"""What counts where no file says it."""
_LOWEST = frozenset(
    (
        "concurrency",
        "max_requests",
        "max_usd",
        "max_usd_per_day",
        "max_usd_per_day_by_service",
        "ask_above_usd",
        "private_addresses",
    )
)
"""Settings that a file can only lower, so that of two values the lower one counts."""
_OF_THE_USER = "severity"
"""What the user's own file says before that of the project."""


class Setting(NamedTuple):
    """One setting: the keys that lead to it, its value, the file that says it and the line (None: a default), and
    whether it counts."""

    keys: tuple[str, ...]
    value: Any
    path: str | None
    line: int | None
    counts: bool

    @property
    def name(self) -> str:
        """The keys as TOML has them."""
        return ".".join(key if key.replace("-", "").replace("_", "").isalnum() else f'"{key}"' for key in self.keys)


def settings_in_force(project: Settings | None, user: Settings | None) -> list[Setting]:
    """What the two files say, and the defaults of what neither says; secrets are not shown."""
    said: dict[tuple[str, ...], list[Setting]] = {}
    for file in (project, user):
        for setting in _of(file) if file is not None else ():
            said.setdefault(setting.keys, []).append(setting)
    found = []
    for keys, rows in said.items():
        first = _first(keys, rows)
        found += [row._replace(counts=row is first) for row in rows]
    names = {keys[0] for keys in said}
    return found + [Setting((name,), value, None, None, True) for name, value in DEFAULTS.items() if name not in names]


def _first(keys: tuple[str, ...], rows: list[Setting]) -> Setting:
    """The row that counts, of those that the project and the user have, in this order."""
    if keys[0] in _LOWEST:
        return min(rows, key=lambda row: row.value)
    return rows[-1] if keys[0] == _OF_THE_USER else rows[0]


def _of(file: Settings) -> Iterator[Setting]:
    path, content = file
    shown = shown_path(path)
    hidden = {value for _, value in secrets_in(content)}
    for keys, value in _leaves(content, ()):
        kept = _without(value, hidden, place(path, keys).source)
        yield Setting(keys, kept, shown, place(path, keys, of_key=True).first.line, True)


def shown_path(path: str) -> str:
    """A path from the working folder, where it lies in it."""
    below = os.path.relpath(path)
    return path if below.startswith("..") else below


def _leaves(table: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*keys, name))
        else:
            yield (*keys, name), value


def _without(value: Any, hidden: set[str], source: Source) -> Any:
    """A value without the secrets that stand in the file."""
    if isinstance(value, str):
        return "***" if value in hidden else source.hide(value)
    return [_without(item, hidden, source) for item in value] if isinstance(value, list) else value
