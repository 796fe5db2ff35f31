"""Entry points: how the steps, dialects and vendors of plugins are found."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache

from flowdsl.errors import PluginError, in_words

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")


@lru_cache(maxsize=4)
def _sections(path: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The text of every `entry_points.txt` on the path that names one of our groups, and what is installed there, by
    name and version.

    The files are read directly, because importlib.metadata takes three times as long to import as this takes to run;
    it is asked only where nothing is found on the path. They are read once, for all groups.
    """
    found = [_texts_in(folder or ".") for folder in path]
    names = tuple(name for _, names in found for name in sorted(names))
    return tuple(text for texts, _ in found for text in texts), names


def _texts_in(folder: str) -> tuple[list[str], list[str]]:
    import os

    texts: list[str] = []
    try:
        with os.scandir(folder) as items:
            names = [item.path for item in items if item.name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return texts, []
    for path in names:
        try:
            with open(f"{path}/entry_points.txt", encoding="utf-8") as file:  # noqa: PTH123  pathlib is slow to import
                text = file.read()
        except OSError:
            continue
        if "[flowdsl." in text:
            texts.append(text)
    return texts, names


def installed() -> tuple[str, ...]:
    """The folders that say what is installed: names and versions of distributions."""
    return _sections(tuple(sys.path))[1]


def targets(group: str) -> set[tuple[str, str]]:
    """The name and target (`package.module:attribute`) of every entry point of a group; nothing is imported."""
    sections, _ = _sections(tuple(sys.path))
    if not sections:
        from importlib.metadata import entry_points

        return {(point.name, point.value) for point in entry_points(group=group)}
    return {point for text in sections for point in _points(text, group)}


def _points(text: str, group: str) -> list[tuple[str, str]]:
    _, _, section = text.partition(f"[{group}]")
    pairs = (line.partition("=") for line in section.partition("\n[")[0].splitlines())
    return [(name.strip(), target.strip()) for name, equals, target in pairs if equals]


def load(group: str, name: str, target: str) -> Any:
    """What an entry point names: a module, or an attribute of one.

    Raises:
        PluginError: the module or the attribute is not there, or importing it fails.
    """
    from importlib import import_module

    def read() -> Any:
        module, _, attribute = target.partition(":")
        found: Any = import_module(module)
        for part in attribute.split(".") if attribute else ():
            found = getattr(found, part)
        return found

    return foreign(group, name, target, read)


def foreign(group: str, name: str, target: str, read: Callable[[], T]) -> T:
    """What a plugin's own code gives: the one edge to it while it is loaded.

    Raises:
        PluginError: it raises anything.
    """
    try:
        return read()
    except Exception as error:  # the edge to foreign code: a plugin may raise anything while it is imported
        kind = group.rpartition(".")[2].replace("_", " ")
        reason = str(error) if isinstance(error, (ImportError, PluginError)) else f"{in_words(error)}"
        raise PluginError(f"the {kind} plugin `{name}` cannot be loaded from {target}: {reason}") from error
