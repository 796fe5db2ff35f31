"""Files of a run: written inside its output folder and nowhere else, complete or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from flowdsl import StepContext, StepError
from flowdsl_steps.io.file_name import directory_parts, same_file

_PART = ".part"


class OutputFile(NamedTuple):
    """A file to be written: its name, and what gives its bytes when it is its turn."""

    name: str
    read: Callable[[], bytes]


async def write_by_effect(
    ctx: StepContext, directory: str | None, files: Sequence[OutputFile], *, overwrite: bool
) -> list[str]:
    """The paths of files that were written into a directory of the output folder of the run, see `write_files`."""

    async def perform() -> list[str]:
        return [str(path) for path in write_files(ctx.output_folder, directory, files, overwrite=overwrite)]

    request = {"directory": directory, "files": [file.name for file in files], "overwrite": overwrite}
    return await ctx.effect("file", request, perform)


def write_files(root: Path, directory: str | None, files: Sequence[OutputFile], *, overwrite: bool) -> list[Path]:
    """Writes files into a directory of the output folder; gives their paths. All of them appear, or none.

    Raises:
        StepError: a path that leaves the folder, two files of one name, a file that exists, a disk that does not take
            them.
    """
    _refuse_duplicates(files)
    try:
        folder = _folder(root, directory)
        targets = [folder / file.name for file in files]
        for target in targets:
            _refuse_existing(target, overwrite)
        return _published(folder, files, targets, overwrite)
    except OSError as error:
        raise StepError(
            f"the output folder {root} cannot be written to: {error.strerror or error}", code="output-unwritable"
        ) from error


def _refuse_duplicates(files: Sequence[OutputFile]) -> None:
    seen: dict[str, int] = {}
    for number, file in enumerate(files, 1):
        first = seen.setdefault(same_file(file.name), number)
        if first != number:
            raise StepError(
                f"`filename` gives items {first} and {number} the same name, {file.name}; nothing was written",
                code="same-file-name",
                hint="make the names differ, for example with `{{ index }}`",
            )


def _folder(root: Path, directory: str | None) -> Path:
    """The directory inside the output folder, made where it is missing.

    Raises:
        StepError: it leads out of the output folder, by its text or by a symbolic link.
    """
    root.mkdir(parents=True, exist_ok=True)
    folder = root = root.resolve()
    for part in directory_parts(directory or ""):
        folder = folder / part
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        if not folder.resolve().is_relative_to(root):
            raise StepError(
                f"`directory` leaves the output folder: {folder} is a link to {folder.resolve()}", code="outside-output"
            )
        if not folder.is_dir():
            raise StepError(f"`directory` cannot be {folder}, which is a file", code="output-unwritable")
    return folder


def _refuse_existing(target: Path, overwrite: bool) -> None:
    if target.is_dir() and not target.is_symlink():
        raise StepError(f"{target} is a folder", code="file-exists", hint="change `filename`")
    if not overwrite and os.path.lexists(target):
        raise _exists(target)


def _exists(target: Path) -> StepError:
    return StepError(
        f"the file {target} exists already", code="file-exists", hint="change `filename`, or add `overwrite: true`"
    )


def _published(folder: Path, files: Sequence[OutputFile], targets: Sequence[Path], overwrite: bool) -> list[Path]:
    """Writes all bytes to part files first; then each gets its name at once."""
    parts: list[Path] = []
    done: list[Path] = []
    try:
        for file in files:
            parts.append(folder / f".{os.urandom(8).hex()}{_PART}")
            with parts[-1].open("xb") as stream:
                stream.write(file.read())
        for part, target in zip(parts, targets, strict=True):
            if overwrite:
                part.replace(target)
            else:
                _link(part, target)
            done.append(target)
    except BaseException:
        for target in [] if overwrite else done:
            target.unlink(missing_ok=True)
        raise
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return done


def _link(part: Path, target: Path) -> None:
    """Gives a part file its name, unless somebody else took the name in between."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise _exists(target) from None
        part.rename(target)
