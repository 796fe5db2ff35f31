"""The folder that stores images: an `ImageStore` names files by the SHA-256 of their bytes."""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Literal

from flowdsl.errors import StepError
from flowdsl.image.formats import EXTENSIONS, image_size, media_type, other_type
from flowdsl.image.image import Image
from flowdsl.image.part_file import PART, forget_try, open_part, sweep, try_folder
from flowdsl.image.spare_folder import SpareFolder

_HEAD_SIZE = 32 * 1024
_LONG_HEAD_SIZE = 4 * 1024 * 1024
_BLOCK = 1024 * 1024


class ImageStore:
    """A folder of images, named by the SHA-256 of their bytes: `ab12….png`.

    A file appears under its name complete or not at all. Part files that a killed process left are removed when another
    process opens the folder, or this one some minutes later; those of a living process are not. What the folder
    does not take any more, when a disk is full for example, goes to `spare`.
    """

    def __init__(self, folder: str | os.PathLike[str], mode: int = 0o777) -> None:
        self._given = folder
        self._mode = mode
        self._prepared = False
        self._whole: ImageStore | None = None
        self.spare = SpareFolder()
        self.made: list[Image] = []
        """Every image that this object stored, in the order in which they were complete."""

    def part(self) -> ImageStore:
        """A store of the same folder that keeps apart what it made itself; this one has it too."""
        part = ImageStore(self.folder)
        part._whole = self
        part.spare = self.spare
        return part

    @cached_property
    def folder(self) -> Path:
        """The folder, absolute from its first use on."""
        return Path(self._given).absolute()

    def prepare(self) -> None:
        """Make the folder and remove what killed processes left; done once, and before anything is paid for.

        Raises:
            StepError: the folder cannot be made or written to.
        """
        if self._whole is not None:
            self._whole.prepare()
        elif not self._prepared:
            try:
                if not os.path.isdir(self.folder):  # noqa: PTH112  asked with each run
                    self.folder.mkdir(self._mode, parents=True, exist_ok=True)
                sweep(self.folder)
                try_folder(self.folder)
            except OSError as error:
                raise _unwritable(self.folder, error) from error
            self._prepared = True

    def writer(self, limit: int | None = None) -> ImageWriter:
        """A writer of one image; more than `limit` bytes are refused.

        Raises:
            StepError: neither the folder nor another one can be written to.
        """
        self.prepare()
        return ImageWriter(self.folder, limit, self._take, self.spare)

    def add(self, content: builtins.bytes) -> Image:
        """Store bytes that are at hand.

        Raises:
            StepError: they are not an image.
        """
        with self.writer() as writer:
            writer.write(content)
            return writer.commit()

    def adopt(self, image: Image) -> None:
        """Counts a picture of the folder among what was made: an earlier attempt of the run has stored it."""
        self._take(image)

    def _take(self, image: Image) -> None:
        self.made.append(image)
        if self._whole is not None:
            self._whole._take(image)


class ImageWriter:
    """Takes the bytes of one image as they arrive and makes an `Image` of them, or leaves nothing behind.

    As a context manager it aborts unless it was committed. What the folder does not take goes to `spare`, with all that
    came before it.
    """

    __slots__ = (
        *("_descriptor", "_folder", "_hash", "_head", "_is_there", "_limit", "_others", "_part", "_spare", "_take"),
        "size",
    )

    def __init__(
        self,
        folder: Path,
        limit: int | None = None,
        take: Callable[[Image], None] | None = None,
        spare: SpareFolder | None = None,
    ) -> None:
        self._folder = folder
        self._limit = limit
        self._take = take
        self._spare = spare
        self._others: Iterator[Path] = iter(()) if spare is None else spare.tried()
        self._hash = hashlib.sha256()
        self._head = b""
        self.size = 0
        self._descriptor = -1
        self._is_there = False
        self._part = folder / PART
        try:
            self._part, self._descriptor = open_part(folder)
        except OSError as error:
            self._move(error)

    @property
    def is_open(self) -> bool:
        """Whether it was neither committed nor aborted."""
        return self._descriptor >= 0

    def write(self, content: builtins.bytes) -> None:
        """Append bytes.

        Raises:
            StepError: no disk takes them, or there are more than the limit.
        """
        self.size += len(content)
        if self._limit is not None and self.size > self._limit:
            raise StepError(f"the image is larger than the limit of {self._limit} bytes", code="image-too-large")
        if len(self._head) < _HEAD_SIZE:
            self._head += content[: _HEAD_SIZE - len(self._head)]
        self._hash.update(content)
        view = memoryview(content)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                self._move(error)

    def _move(self, failed: OSError) -> None:
        """Goes on in the next folder, with all that was written.

        Raises:
            StepError: there is none that takes it. It says what the first one failed with.
        """
        forget_try(self._folder)
        for folder in self._others:
            with contextlib.suppress(OSError):
                part, descriptor = open_part(folder)
                try:
                    self._copy_to(descriptor)
                except BaseException:
                    os.close(descriptor)
                    part.unlink()
                    raise
                self.abort()
                self._part, self._descriptor = part, descriptor
                if self._spare is not None:
                    self._spare.take(folder, failed)
                return
        raise _unwritable(self._folder, failed) from failed

    def _copy_to(self, descriptor: int) -> None:
        """Writes what was written so far, which is read from the open file: its folder may be gone."""
        if not self.size:
            return  # nothing, or there is no file yet
        old = (
            os.dup(self._descriptor) if self.is_open else os.open(self._part, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        )
        with os.fdopen(old, "rb") as file:
            file.seek(0)
            while view := memoryview(file.read(_BLOCK)):
                while view:
                    view = view[os.write(descriptor, view) :]

    def commit(
        self,
        *,
        url: str | None = None,
        revised_prompt: str | None = None,
        url_expires_at: int | None = None,
        partial: bool = False,
    ) -> Image:
        """Give the file its name and return the handle. One that is `partial` does not count among what was made.

        Raises:
            StepError: the bytes are not an image we know, or the disk does not take them.
        """
        mime = media_type(self._head)
        if mime is None:
            raise self._refused()
        try:
            size = image_size(mime, self._head) or image_size(mime, self._longer_head())
        except OSError as error:
            self.abort()
            raise _unwritable(self._folder, error) from error
        path = self._stored(EXTENSIONS[mime])
        image = Image(
            path=str(path),
            mime=mime,
            bytes=self.size,
            sha256=path.stem,
            width=size and size.width,
            height=size and size.height,
            url=url,
            revised_prompt=revised_prompt,
            url_expires_at=url_expires_at,
        )
        if self._take is not None and not partial:
            self._take(image)
        return image

    def _refused(self) -> StepError:
        """Why it is no image that we store. One of another format is kept: it may be paid for."""
        other = other_type(self._head)
        if other is None:
            self.abort()
            return StepError(f"what came is not an image: {_describe(self._head, self.size)}", code="not-an-image")
        name, extension = other
        path = self._stored(extension)
        return StepError(f"what came is a file of another format, {name}; it is kept as {path}", code="not-an-image")

    def _stored(self, extension: str) -> Path:
        """Gives the file its name: the SHA-256 of its bytes.

        Raises:
            StepError: no disk takes it.
        """
        digest = self._hash.hexdigest()
        while True:
            path = self._part.with_name(f"{digest}.{extension}")
            try:
                if os.name == "nt":
                    self._close()  # Windows renames no file that is open
                if not self._is_stored(path, digest):
                    self._part.replace(path)
                self._close()  # and with it the lock, when there is no part file any more that a sweep could take
            except OSError as error:
                try:
                    self._move(error)
                except StepError:
                    self.abort()
                    raise
            else:
                self._is_there = True
                return path

    def _is_stored(self, path: Path, digest: str) -> bool:
        """Whether the same bytes are stored already; then the part is dropped, so that links to them stay links.

        They are read for that: a crash or a bad disk can leave a file of that name and size with other bytes in it.
        """
        try:
            if path.stat().st_size != self.size:
                return False
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    return False
        except OSError:
            return False
        self._part.unlink()
        return True

    def abort(self) -> None:
        """Remove what was written; nothing happens after a commit or a second time. What a disk does not let go of is
        swept another time."""
        if self._is_there:
            return
        self._close()
        with contextlib.suppress(OSError):
            self._part.unlink()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _longer_head(self) -> builtins.bytes:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, _LONG_HEAD_SIZE)

    def __enter__(self) -> ImageWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        self.abort()
        return False


def _unwritable(folder: Path, error: OSError) -> StepError:
    return StepError(f"the image cannot be stored in {folder}: {error.strerror or error}", code="image-unwritable")


def _describe(head: builtins.bytes, size: int) -> str:
    if not size:
        return "no bytes at all"
    start = head[:24].decode("latin-1")
    shown = start if start.isprintable() else head[:12].hex(" ")
    return f"{size} bytes that begin with `{shown}`"
