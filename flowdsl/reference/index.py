"""Writes the index of a steps package: its steps as data, so that checking imports neither pydantic nor a step."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from flowdsl.errors import PluginError
from flowdsl.reference.docstrings import documented
from flowdsl.step.index import FILE
from flowdsl.step.registry import discover
from flowdsl.step.step import Step


def index_text(package: str) -> str:
    """The text of `<package>/index.json`, which the registry reads in place of the step classes; a step on each line.

    Raises:
        PluginError: the package cannot be imported, defines no step, or one whose spec JSON cannot hold.
    """
    from importlib import import_module

    try:
        classes = list(discover(import_module(package), Step))
    except ImportError as error:
        raise PluginError(f"{package} cannot be imported: {error}") from error
    if not classes:
        raise PluginError(f"{package} defines no step: subclass flowdsl.Step with a name in one of its modules")
    entries = {str(entry["name"]): entry for entry in (documented(cls).to_index() for cls in classes)}
    aliases = {alias: name for name in sorted(entries) for alias in entries[name]["aliases"]}
    about = f"Made by `flowdsl schema --index {package}`; do not edit."
    lines = [f"{json.dumps(name)}: {plain_json(entries[name])}" for name in sorted(entries)]
    return (
        f'{{"about": {json.dumps(about)}, "aliases": {json.dumps(aliases)}, "steps": {{\n'
        + ",\n".join(lines)
        + "\n}}\n"
    )


def index_path(package: str) -> Path:
    """Where the index of an importable package belongs.

    Raises:
        PluginError: there is no such package.
    """
    from importlib.util import find_spec

    try:
        found = find_spec(package)
    except (ImportError, ValueError) as error:
        raise PluginError(f"{package} is not a package that can be imported: {error}") from error
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    if not folders:
        raise PluginError(f"{package} is not a package that can be imported")
    return Path(folders[0]) / FILE


def plain_json(value: Any) -> str:
    """A value as JSON on one line; a tuple is a list.

    Raises:
        PluginError: it is not made of maps, lists, texts, finite numbers, booleans and null.
    """
    _refuse_others(value)
    return json.dumps(value)  # in ASCII, which is read faster


def _refuse_others(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise PluginError(f"an index holds plain values only, and the key {key!r} is not a text")
            _refuse_others(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_others(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise PluginError(f"an index holds plain values only, and {value!r} is not a finite number")
    elif not (value is None or isinstance(value, (str, bool, int, float))):
        raise PluginError(f"an index holds plain values only, and {value!r} is a {type(value).__name__}")
