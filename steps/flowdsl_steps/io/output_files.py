"""Files of a run: written inside its output folder and nowhere else, complete or not at all, and over no other file
unless that is asked for.

The way into a directory is gone step by step over open folders, and never through a link: what somebody puts in its
place meanwhile is not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from flowdsl import StepContext, StepError
from flowdsl.image.named_file import first_free
from flowdsl.step.gather import to_its_end
from flowdsl_steps.io.file_name import MAX_BYTES, directory_parts, same_file

_PART = ".part"
_COUNTED = re.compile(r"(.+)-(\d{1,9})", re.DOTALL)
_BY_FOLDER = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")  # not on Windows
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class OutputFile(NamedTuple):
    """A file to be written: its name, and what gives its bytes when it is its turn. Where the name ends in a number
    that `counts`, that number goes up when the name is taken; of others a second one begins to count."""

    name: str
    read: Callable[[], bytes]
    counts: bool = False


async def write_by_effect(
    ctx: StepContext, directory: str | None, files: Sequence[OutputFile], *, overwrite: bool
) -> list[str]:
    """The paths of files that were written into a directory of the output folder of the run, see `write_files`."""

    async def perform() -> list[str]:
        writing = partial(write_files, ctx.output_folder, directory, files, overwrite=overwrite)
        written = await to_its_end(asyncio.ensure_future(asyncio.to_thread(writing)))
        return [str(path) for path in written]

    request = {"directory": directory, "files": [file.name for file in files], "overwrite": overwrite}
    return await ctx.effect("file", request, perform)


def write_files(root: Path, directory: str | None, files: Sequence[OutputFile], *, overwrite: bool) -> list[Path]:
    """Writes files into a directory of the output folder; gives their paths. All of them appear, or none.

    A name that is taken, by a file that exists or by one of these, gets the next number: `dawn-2.png`. With `overwrite`
    a file that exists is replaced.

    Raises:
        StepError: a path that leaves the folder, a disk that does not take the files.
    """
    try:
        with _opened(root, directory) as folder:
            return [folder.path / name for name in _published(folder, files, overwrite)]
    except OSError as error:
        raise StepError(
            f"the output folder {root} cannot be written to: {error.strerror or error}", code="output-unwritable"
        ) from error


class _Folder:
    """An open folder: whoever holds it writes into that one, whatever its path leads to by now."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor
        self.at: dict[str, Any] = {} if descriptor is None else {"dir_fd": descriptor}

    def place(self, name: str) -> str:
        """What the functions of `os` call a file in it."""
        return str(self.path / name) if self.descriptor is None else name

    def kind(self, name: str) -> str:
        """`folder`, `other`, or nothing where there is no file of that name."""
        import stat

        try:
            mode = os.lstat(self.place(name), **self.at).st_mode
        except FileNotFoundError:
            return ""
        return "folder" if stat.S_ISDIR(mode) else "other"

    def write(self, name: str, content: bytes) -> None:
        """Makes a file."""
        descriptor = os.open(self.place(name), _NEW, 0o644, **self.at)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)

    def remove(self, name: str) -> None:
        """Removes a file that may be gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.place(name), **self.at)

    def replace(self, name: str, target: str) -> None:
        """Gives a file another name, whoever has it."""
        os.replace(self.place(name), self.place(target), **self._both())  # noqa: PTH105  of an open folder

    def link(self, name: str, target: str) -> None:
        """Gives a file a second name.

        Raises:
            FileExistsError: somebody has it.
        """
        try:
            os.link(self.place(name), self.place(target), **self._both())
        except FileExistsError:
            raise
        except OSError:  # a file system without links: whoever makes the empty file has the name
            os.close(os.open(self.place(target), _NEW, 0o644, **self.at))
            try:
                self.replace(name, target)
            except OSError:
                self.remove(target)  # a name with nothing behind it helps nobody
                raise

    def _both(self) -> dict[str, Any]:
        return {} if self.descriptor is None else {"src_dir_fd": self.descriptor, "dst_dir_fd": self.descriptor}


@contextlib.contextmanager
def _opened(root: Path, directory: str | None) -> Iterator[_Folder]:
    """The directory inside the output folder, made where it is missing.

    Raises:
        StepError: it leads out of the output folder, by its text or by a symbolic link.
    """
    root.mkdir(parents=True, exist_ok=True)
    path = root.resolve()
    with contextlib.ExitStack() as stack:
        descriptor = None
        if _BY_FOLDER:
            descriptor = os.open(path, _FOLDER)
            stack.callback(os.close, descriptor)
        for part in directory_parts(directory or ""):
            above = _Folder(path, descriptor)
            path = path / part
            with contextlib.suppress(FileExistsError):
                os.mkdir(above.place(part), **above.at)  # noqa: PTH102  in an open folder
            try:
                if _BY_FOLDER:
                    descriptor = os.open(part, _FOLDER | os.O_NOFOLLOW, **above.at)
                    stack.callback(os.close, descriptor)
                elif path.is_symlink() or not path.is_dir():
                    raise NotADirectoryError(path)
            except OSError as error:
                raise _no_way(path, error) from error
        yield _Folder(path, descriptor)


def _no_way(path: Path, error: OSError) -> Exception:
    """Why a folder on the way cannot be gone into."""
    if path.is_symlink():
        return StepError(
            f"`directory` leaves the output folder: {path} is a link to {path.resolve()}", code="outside-output"
        )
    if path.exists() and not path.is_dir():
        return StepError(f"`directory` cannot be {path}, which is a file", code="output-unwritable")
    return error


def _published(folder: _Folder, files: Sequence[OutputFile], overwrite: bool) -> list[str]:
    """Writes all bytes to part files first; then each gets its name at once."""
    if overwrite:
        _refuse_folders(folder, files)
    parts: list[str] = []
    done: list[str] = []
    try:
        for file in files:
            parts.append(f".{os.urandom(8).hex()}{_PART}")
            folder.write(parts[-1], file.read())
        for part, file in zip(parts, files, strict=True):
            done.append(_named(folder, part, file, {same_file(name) for name in done}, overwrite))
    except BaseException:
        for name in [] if overwrite else done:
            folder.remove(name)
        raise
    finally:
        for part in parts:
            folder.remove(part)
    return done


def _refuse_folders(folder: _Folder, files: Sequence[OutputFile]) -> None:
    for file in files:
        if folder.kind(file.name) == "folder":
            raise StepError(f"{folder.path / file.name} is a folder", code="file-exists", hint="change `filename`")


def _named(folder: _Folder, part: str, file: OutputFile, own: set[str], overwrite: bool) -> str:
    """Gives a part file its name, with a number where that is taken: by a file of this step, or by any other."""

    def is_taken(number: int) -> bool:
        numbered = _numbered(file, number)
        return same_file(numbered) in own or (not overwrite and folder.kind(numbered) != "")

    number = first_free(is_taken)
    while True:
        numbered = _numbered(file, number)
        try:
            if overwrite:
                folder.replace(part, numbered)
            else:
                folder.link(part, numbered)
        except FileExistsError:
            number += 1
        else:
            return numbered


def _numbered(file: OutputFile, number: int) -> str:
    """The name of a file with a number in front of its extension; the first has none but its own."""
    name, suffix = file.name, PurePosixPath(file.name).suffix
    if number == 1:
        return name
    counted = _COUNTED.fullmatch(name.removesuffix(suffix)) if file.counts else None
    if counted is not None:
        name, number = f"{counted[1]}{suffix}", int(counted[2]) + number - 1
    end = f"-{number}{suffix}"
    stem = name.removesuffix(suffix).encode()[: MAX_BYTES - len(end.encode())]
    return stem.decode("utf-8", "ignore") + end
