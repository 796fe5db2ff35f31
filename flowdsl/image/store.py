"""Images: handles over stored bytes, and the folder that stores them.

A FlowContext holds an `Image`, never the bytes: it is a mapping over what is known of the image, and `b64_json` is
computed from the file each time it is read. An `ImageStore` names files by the SHA-256 of their bytes.
"""

from __future__ import annotations

import builtins
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from flowdsl.errors import StepError
from flowdsl.image.formats import EXTENSIONS, image_size, media_type, other_type
from flowdsl.image.part_file import open_part, sweep

_KEYS = (
    "url",
    "b64_json",
    "path",
    "mime",
    "width",
    "height",
    "bytes",
    "sha256",
    "revised_prompt",
    "url_expires_at",
)
_JSON_KEYS = ("path", "mime", "width", "height", "sha256", "url", "revised_prompt")
_HEAD_SIZE = 32 * 1024
_LONG_HEAD_SIZE = 4 * 1024 * 1024


class Image(Mapping[str, Any]):
    """One generated image: a mapping over those of its keys that are known, which are its attributes too.

    `path` is the absolute path of its file, `bytes` its size, `width` and `height` are pixels, `url` is the vendor's
    address for it and `url_expires_at` the Unix time in seconds when that ends. In a run that file has a name for
    people, and may hold metadata; `original` is the path of the bytes as they came, which `bytes` and `sha256` are of.
    Two images are equal when their bytes and what is known of them are.
    """

    __slots__ = (
        "_kept",
        "_path",
        "bytes",
        "height",
        "mime",
        "original",
        "revised_prompt",
        "sha256",
        "url",
        "url_expires_at",
        "width",
    )

    def __init__(
        self,
        *,
        path: str,
        mime: str,
        bytes: int,
        sha256: str,
        width: int | None = None,
        height: int | None = None,
        url: str | None = None,
        revised_prompt: str | None = None,
        url_expires_at: int | None = None,
    ) -> None:
        self._path = path
        self._kept: Callable[[], builtins.bytes] | None = None
        self.original: Final = path
        self.mime: Final = mime
        self.bytes: Final = bytes
        self.sha256: Final = sha256
        self.width: Final = width
        self.height: Final = height
        self.url = url
        self.revised_prompt = revised_prompt
        self.url_expires_at: Final = url_expires_at

    @property
    def path(self) -> str:
        """The absolute path of its file."""
        return self._path

    @property
    def is_named(self) -> bool:
        """Whether its file has a name for people."""
        return self._path != self.original

    def take_name(self, path: str, kept: Callable[[], builtins.bytes] | None = None) -> None:
        """Gives it the file with a name for people; a run does so once, before any step sees the image. `kept` reads
        the bytes as they came where a host keeps them, when their file is gone."""
        self._path = path
        self._kept = kept

    def take_name_of(self, other: Image) -> None:
        """The same, with the file of an image of the same bytes."""
        self.take_name(other._path, other._kept)

    @property
    def b64_json(self) -> str:
        """The bytes as they came in base64, computed at each reading.

        Raises:
            StepError: the file is gone.
        """
        import pybase64

        return pybase64.b64encode(self.read()).decode("ascii")

    def read(self) -> builtins.bytes:
        """The bytes as they came, without metadata of ours.

        Raises:
            StepError: the file is gone.
        """
        try:
            try:
                return Path(self.original).read_bytes()
            except FileNotFoundError:
                if self._kept is None:
                    raise
                return self._kept()
        except OSError as error:
            path = self.original if self._kept is None else self.path
            raise StepError(
                f"the image {path} cannot be read: {error.strerror or error}",
                code="image-unreadable",
                hint="the image store was moved or emptied after the image was made",
            ) from error

    def hide(self, hide: Callable[[str | None], str | None]) -> None:
        """Takes secrets out of what the vendor said of it; a run does so once, before any step sees the image."""
        self.url, self.revised_prompt = hide(self.url), hide(self.revised_prompt)

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints of it: path, mime, width, height, sha256 and, when known, url and revised_prompt."""
        return {key: value for key in _JSON_KEYS if (value := getattr(self, key)) is not None}

    def __getitem__(self, key: str) -> Any:
        value = getattr(self, key) if key in _KEYS else None
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return key == "b64_json" or (key in _KEYS and getattr(self, str(key)) is not None)

    def __iter__(self) -> Iterator[str]:
        return (key for key in _KEYS if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _identity(self) -> tuple[Any, ...]:
        known = (getattr(self, key) for key in _KEYS if key not in ("path", "b64_json"))
        return tuple(known)

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Image) else NotImplemented

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """All but the way to a host's store, which is not for another process."""
        return None, {name: None if name == "_kept" else getattr(self, name) for name in Image.__slots__}

    def __deepcopy__(self, memo: dict[int, Any]) -> Image:
        """Itself: it does not change."""
        return self

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        size = "" if self.width is None else f" {self.width}x{self.height}"
        return f"<Image {self.mime}{size} {self.bytes} bytes {self.path}>"


class ImageStore:
    """A folder of images, named by the SHA-256 of their bytes: `ab12….png`.

    A file appears under its name complete or not at all. Part files that a killed process left are removed when another
    process opens the folder, or this one some minutes later; those of a living process are not.
    """

    def __init__(self, folder: str | os.PathLike[str], mode: int = 0o777) -> None:
        self._given = folder
        self._mode = mode
        self._prepared = False
        self._whole: ImageStore | None = None
        self.made: list[Image] = []
        """Every image that this object stored, in the order in which they were complete."""

    def part(self) -> ImageStore:
        """A store of the same folder that keeps apart what it made itself; this one has it too."""
        part = ImageStore(self.folder)
        part._whole = self
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
                self.folder.mkdir(self._mode, parents=True, exist_ok=True)
                sweep(self.folder)
                ImageWriter(self.folder).abort()
            except OSError as error:
                raise _unwritable(self.folder, error) from error
            self._prepared = True

    def writer(self, limit: int | None = None) -> ImageWriter:
        """A writer of one image; more than `limit` bytes are refused.

        Raises:
            StepError: the folder cannot be written to.
        """
        self.prepare()
        try:
            return ImageWriter(self.folder, limit, self._take)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def add(self, content: builtins.bytes) -> Image:
        """Store bytes that are at hand.

        Raises:
            StepError: they are not an image.
        """
        with self.writer() as writer:
            writer.write(content)
            return writer.commit()

    def _take(self, image: Image) -> None:
        self.made.append(image)
        if self._whole is not None:
            self._whole._take(image)


class ImageWriter:
    """Takes the bytes of one image as they arrive and makes an `Image` of them, or leaves nothing behind.

    As a context manager it aborts unless it was committed.
    """

    __slots__ = ("_descriptor", "_folder", "_hash", "_head", "_limit", "_part", "_take", "size")

    def __init__(self, folder: Path, limit: int | None = None, take: Callable[[Image], None] | None = None) -> None:
        self._folder = folder
        self._limit = limit
        self._take = take
        self._part, self._descriptor = open_part(folder)
        self._hash = hashlib.sha256()
        self._head = b""
        self.size = 0

    @property
    def is_open(self) -> bool:
        """Whether it was neither committed nor aborted."""
        return self._descriptor >= 0

    def write(self, content: builtins.bytes) -> None:
        """Append bytes.

        Raises:
            StepError: the disk does not take them, or there are more than the limit.
        """
        self.size += len(content)
        if self._limit is not None and self.size > self._limit:
            raise StepError(f"the image is larger than the limit of {self._limit} bytes", code="image-too-large")
        if len(self._head) < _HEAD_SIZE:
            self._head += content[: _HEAD_SIZE - len(self._head)]
        self._hash.update(content)
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise _unwritable(self._folder, error) from error

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
        digest = self._hash.hexdigest()
        try:
            if mime is None:
                raise self._refused()
            size = image_size(mime, self._head) or image_size(mime, self._longer_head())
            path = self._folder / f"{digest}.{EXTENSIONS[mime]}"
            if os.name == "nt":
                self._close()  # Windows renames no file that is open
            if not self._is_stored(path, digest):
                self._part.replace(path)
            self._close()  # and with it the lock, when there is no part file any more that a sweep could take
        except OSError as error:
            self.abort()
            raise _unwritable(self._folder, error) from error
        image = Image(
            path=str(path),
            mime=mime,
            bytes=self.size,
            sha256=digest,
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
        path = self._folder / f"{self._hash.hexdigest()}.{extension}"
        if os.name == "nt":
            self._close()
        self._part.replace(path)
        self._close()
        return StepError(f"what came is a file of another format, {name}; it is kept as {path}", code="not-an-image")

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
        """Remove what was written; nothing happens after a commit or a second time."""
        self._close()
        self._part.unlink(missing_ok=True)

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
