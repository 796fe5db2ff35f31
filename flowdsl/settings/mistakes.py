"""Mistakes in a settings file, with the line and a caret as those of flows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.settings.toml_places import Path
    from flowdsl.source import Span


def mistake(path: str, keys: Path, message: str, hint: str | None = None, *, of_key: bool = False) -> UsageError:
    """The error for a setting that cannot be: it marks the value that `keys` lead to, or with `of_key` the key."""
    from flowdsl.diagnostics import Diagnostic, render

    return UsageError(render([Diagnostic("invalid-setting", message, place(path, keys, of_key=of_key), hint=hint)]))


def place(path: str, keys: Path, *, of_key: bool = False) -> Span:
    """Where a setting stands: its value, else its key, else the key that it stands in."""
    from flowdsl.settings.toml_places import Places
    from flowdsl.source import Source, Span
    from flowdsl.syntax.opened import read_file

    source = Source(read_file(path).decode("utf-8"), os.path.relpath(path))
    places = Places(source.text.replace("\r\n", " \n"))  # of the same length
    whole = (*section(path), *keys)
    found = None if of_key else places.values.get(whole)
    while found is None and whole:
        found, whole = places.keys.get(whole), whole[:-1]
    return Span(source, *(found or (0, 0)))


def section(path: str) -> tuple[str, ...]:
    """The tables in which a file has the settings."""
    return ("tool", "flowdsl") if os.path.basename(path) == "pyproject.toml" else ()  # noqa: PTH119
