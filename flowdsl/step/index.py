"""The index of a steps package, `index.json`: its steps as data, read without importing a module of the package.

`flowdsl schema --index` writes it with one step on each line, so that only the steps that a flow uses are parsed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

FILE = "index.json"


class StepIndex:
    """The steps of a package: name → JSON of its entry, and old names → names."""

    __slots__ = ("aliases", "entries")

    def __init__(self, entries: Mapping[str, str], aliases: Mapping[str, str]) -> None:
        self.entries = entries
        self.aliases = aliases


def read_index(package: str) -> StepIndex | None:
    """The index that a package ships, or None.

    Raises:
        ValueError: the file is not an index.
        OSError: it is there and cannot be read.
    """
    for folder, loader in _places(package):
        # a package in an archive is read by its loader; the file system needs none
        read: Callable[[str], bytes] = getattr(loader, "get_data", None) or _read
        try:
            content = read(os.path.join(folder, FILE))  # noqa: PTH118  one join needs no pathlib
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno == 0:  # what zipimport says of a file that is not in the archive
                continue
            raise
        return parse_index(content.decode("utf-8"))
    return None


def parse_index(text: str) -> StepIndex:
    """The index in a text.

    Raises:
        ValueError: it is not an index.
    """
    text = text.strip()
    head, *lines = text.split("\n")
    end = lines.pop() if lines else ""
    parts = [line.rstrip(",").partition(": ") for line in lines]
    if end == "}}" and all(name[:1] == '"' and entry[-1:] == "}" for name, _, entry in parts):
        header = _object(head + end)
        return StepIndex({name[1:-1]: entry for name, _, entry in parts}, header["aliases"])
    from json import dumps

    header = _object(text)  # laid out anew by a formatter
    return StepIndex({name: dumps(entry) for name, entry in header["steps"].items()}, header["aliases"])


def parse_entry(text: str) -> dict[str, Any]:
    """The entry of a step as `StepSpec.from_index` takes it: with tuples, because an index does not change.

    Raises:
        ValueError: it is not JSON.
    """
    return {name: _frozen(value) for name, value in _object(text).items()}


def _frozen(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _frozen(item, key) for key, item in value.items()}
    if isinstance(value, list) and name != "default":  # the default of a key is a value of the language
        return tuple([_frozen(item) for item in value])
    return value


def _object(text: str) -> dict[str, Any]:
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("it is not JSON") from None
    if end != len(text) or not isinstance(value, dict):
        raise ValueError("it is not one JSON object")
    return value


class _Plain:
    """JSON as `json.loads` reads it."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float = parse_constant = float
    parse_int = int


def _scanner() -> Callable[[str, int], tuple[Any, int]]:
    """The scanner inside `json`: importing that package takes longer than reading an index."""
    try:
        from _json import make_scanner

        return make_scanner(_Plain)  # type: ignore[arg-type]  # it reads the attributes of anything
    except (ImportError, AttributeError, TypeError):  # a Python without it, or whose scanner asks for others
        from json import loads

        return lambda text, _: (loads(text), len(text))


_scan = _scanner()


def _places(package: str) -> list[tuple[str, Any]]:
    """The folders of a package, with the loader that can read them; found without importing it."""
    path: Any = None
    name, spec = "", None
    for part in package.split("."):
        name = f"{name}.{part}" if name else part
        found = (finder.find_spec(name, path) for finder in sys.meta_path)
        spec = next((each for each in found if each is not None), None)
        if spec is None or spec.submodule_search_locations is None:
            return []
        path = spec.submodule_search_locations
    return [(folder, spec.loader) for folder in path] if spec is not None else []


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123  pathlib is slow to import
        return file.read()
