"""Generated files: written as a whole or not at all, and compared with what they should be."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from flowdsl.errors import UsageError

_HEAD = 400
"""In how many characters from the start a generated file has its mark."""


def write_or_check(folder: Path, files: Mapping[str, str], *, mark: str, check: bool, again: str) -> int:
    """Writes files below a folder, or names those that differ; the exit code.

    `files` maps relative paths to texts. Files beside them that bear the `mark` and are not among them were generated
    once for something that is gone: they are removed, or named. `again` is the command that writes them.

    Raises:
        UsageError: a file of somebody, without the mark, has the name of one of them; nothing is written.
    """
    left_over = _left_over(folder, files, mark)
    if check:
        drifted = [f"{folder / name} differs" for name, text in files.items() if _read(folder / name) != text]
        drifted += [f"{path} is left over" for path in left_over]
        if drifted:
            sys.stderr.write("".join(f"{line}\n" for line in drifted) + f"run `{again}` to write them again\n")
            return 1
        print(f"{_count(files)} in {folder} up to date")
        return 0
    changed = [name for name, text in files.items() if _read(folder / name) != text]
    for name in changed:
        _check_is_generated(folder / name, mark)
    for name in changed:
        write_atomically(folder / name, files[name])
    for path in left_over:
        path.unlink()
    print(f"{_count(files)} in {folder}, {len(changed)} written, {len(left_over)} removed")
    return 0


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file: readers see the old content or the new, never a part.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    from flowdsl.rewriting.files import put

    put(str(path), text.encode("utf-8", "replace"))


def _check_is_generated(path: Path, mark: str) -> None:
    if not path.is_file() or not path.stat().st_size:
        return
    if mark not in path.read_text(encoding="utf-8", errors="replace")[:_HEAD]:
        raise UsageError(
            f"{path} is there and was not generated: it stays as it is; move it away, or name another folder"
        )


def _left_over(folder: Path, files: Mapping[str, str], mark: str) -> list[Path]:
    expected = {folder / name for name in files}
    suffixes = {path.suffix for path in expected}
    places = {path.parent for path in expected if path.parent.is_dir()}
    found = sorted(path for place in places for path in place.iterdir() if path.suffix in suffixes)
    return [path for path in found if path not in expected and mark in (_read(path) or "")[:_HEAD]]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _count(files: Mapping[str, str]) -> str:
    return f"{len(files)} file{'' if len(files) == 1 else 's'}"
