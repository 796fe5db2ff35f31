"""Entry points: what installed packages add to the language, found and loaded without `importlib.metadata`.

A package names what it adds under `[project.entry-points."GROUP"]`, as `name = "package"` or
`name = "package.module:attribute"`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from flowdsl.errors import PluginError

T = TypeVar("T")


def entry_points(group: str) -> list[tuple[str, str]]:
    """Name and target of every entry point of a group, sorted.

    The files are read directly, because importlib.metadata takes three times as long to import as this takes to run;
    it is asked only when nothing is found on the path.
    """
    found = {point for text in _texts(tuple(sys.path)) for point in _in_text(text, group)}
    if not found:
        from importlib.metadata import entry_points

        found = {(point.name, point.value) for point in entry_points(group=group)}
    return sorted(found)


def load(kind: str, name: str, target: str) -> Any:
    """What an entry point names: a module, or its attribute. `kind` is the plugin's kind in words, for messages.

    Raises:
        PluginError: it cannot be loaded.
    """
    from importlib import import_module

    module, _, attribute = target.partition(":")

    def read() -> Any:
        found = import_module(module)
        return getattr(found, attribute) if attribute else found

    return foreign(kind, name, target, read)


def foreign(kind: str, name: str, target: str, read: Callable[[], T]) -> T:
    """What a plugin's own code gives.

    Raises:
        PluginError: it raises anything.
    """
    try:
        return read()
    except Exception as error:  # the edge to foreign code: a plugin may raise anything while it is imported
        reason = str(error) if isinstance(error, (ImportError, PluginError)) else f"{type(error).__name__}: {error}"
        raise PluginError(f"the {kind} `{name}` cannot be loaded from {target}: {reason}") from error


@lru_cache(maxsize=4)
def _texts(path: tuple[str, ...]) -> tuple[str, ...]:
    """The entry points of every distribution on a path, as their files have them."""
    return tuple(text for folder in path for text in _in_folder(folder or "."))


def _in_folder(folder: str) -> list[str]:
    import os

    try:
        with os.scandir(folder) as items:
            names = [item.path for item in items if item.name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return []
    texts = []
    for path in names:
        try:
            with open(f"{path}/entry_points.txt", encoding="utf-8") as file:  # noqa: PTH123  pathlib is slow to import
                texts.append(file.read())
        except OSError:
            continue
    return texts


def _in_text(text: str, group: str) -> list[tuple[str, str]]:
    _, present, section = text.partition(f"[{group}]")
    lines = section.partition("\n[")[0].splitlines() if present else ()
    pairs = (line.partition("=") for line in lines)
    return [(name.strip(), target.strip()) for name, equals, target in pairs if equals]
