"""`flows` below `[serve]`: which flows a gateway serves, and what they are called in its addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowdsl.settings.mistakes import Mistakes, mistake

_ENDINGS = (".flow.yaml", ".flow.yml")
KIT = ".ai-kit"
"""What the name of a kit ends in, before `.yaml`."""
_KITS = (f"{KIT}.yaml", f"{KIT}.yml")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_AT = ("serve", "flows")
_BEGIN = "paths begin in the folder of the settings file"


def served_flows(path: str, said: Any, mistakes: Mistakes) -> dict[str, str]:
    """The flows of a setting in the file of this path: id → file. An id is the file's name without its ending; a folder
    stands for the flows and kits in it; that of a kit has `KIT` at its end, and each of its actions is a flow.
    `mistakes` takes what is wrong: a flow that is not there, or two of one id."""
    if said is None:
        return {}
    if not isinstance(said, list) or not all(isinstance(each, str) and each for each in said):
        named = said if isinstance(said, str) and said and said.isprintable() and '"' not in said else "flows"
        hint = f'write `flows = ["{named}"]`, a list of files and folders'
        mistakes.add(mistake(path, _AT, "serve.flows must be a list of files and folders", hint))
        return {}
    found: dict[str, str] = {}
    for number, each in enumerate(said):
        at = (*_AT, number)
        files = [*_files(Path(path).parent / each)]
        if not files:
            message = f"there is no flow at `{each}`: no file that ends in {_ENDINGS[0]} or {_KITS[0]}"
            is_there = (Path(path).parent / each).is_dir()
            hint = "name its files one by one, or let their names end so" if is_there else _BEGIN
            mistakes.add(mistake(path, at, message, hint))
        for file in files:
            id = next((file.name.removesuffix(end) for end in _ENDINGS if file.name.endswith(end)), file.stem)
            if not ID.fullmatch(id):
                hint = "rename it: letters, digits, `.`, `_` and `-`"
                mistakes.add(mistake(path, at, f"`{file.name}` cannot be part of an address", hint))
                continue
            other = found.setdefault(id, str(file))
            if Path(other).resolve() != file.resolve():
                hint = "rename one of the files, or name the files that are meant one by one"
                mistakes.add(mistake(path, at, f"two flows have the id `{id}`: {other} and {file}", hint))
    return found


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        named = (each for each in sorted(path.rglob("*")) if each.name.endswith((*_ENDINGS, *_KITS)))
        yield from (each for each in named if _is_shown(each, path))


def _is_shown(file: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(folder).parts)
