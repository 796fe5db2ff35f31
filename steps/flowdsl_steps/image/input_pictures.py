"""The pictures that an edit works on, as an author names them: files of the project, pictures of steps before, blobs
and links. What of them is known before anything is sent is said here; `gathered_pictures` gets them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from flowdsl import Blob, Image
from flowdsl.errors import ConfigError
from flowdsl.image.formats import image_size, media_type, other_type
from flowdsl.step.problem import Problem, show
from flowdsl.step.rules import UNKNOWN, FindFile, Options
from flowdsl.step.spec import IDENTIFIER

_HEAD = 32 * 1024
_LONG_HEAD = 4 * 1024 * 1024
_SHOWN = 64
_HTML, _JSON = (b"<!doctype html", b"<html"), (b"{", b"[")
_LINK = re.compile(r"(?:https?://|data:image/)", re.IGNORECASE)
_IDENTIFIER = re.compile(IDENTIFIER)


class Told:
    """What the options of a step say of pictures: `images`, those that are not known yet without a media type; whether
    there are `more`, of which nothing is known; and what is wrong."""

    __slots__ = ("images", "more", "problems")

    def __init__(self, key: str, options: Options) -> None:
        self.images: list[Image] = []
        self.more = False
        self.problems: list[Problem] = []
        value = options.given.get(key)
        several = isinstance(value, (list, tuple))
        items: Any = value if several else () if value is None else (value,)
        for index, item in enumerate(items):
            try:
                for each in flat(item):
                    self._take(each, options.project_file)
            except ConfigError as error:
                inside = (index,) if several else ()
                self.problems.append(Problem(error.code, error.message, key, error.hint, inside=inside))

    def _take(self, item: Any, find: FindFile | None) -> None:
        if item is UNKNOWN:
            self.more = True
        elif isinstance(item, str) and not is_link(item):
            if find is None:
                self.more = True
            else:
                self.images.append(image_in(find_picture(item, find)))
        else:
            self.images.append(as_image(item))


def flat(item: Any) -> Iterator[Any]:
    """The pictures of an item: an imageList inside a list stands for its pictures."""
    if isinstance(item, (list, tuple)):
        yield from item
    else:
        yield item


def is_link(text: str) -> bool:
    """Whether a text is the address of a picture, or holds one."""
    return _LINK.match(text) is not None


def find_picture(name: str, find: FindFile) -> str:
    """The path of a file of the project.

    Raises:
        ConfigError: there is no such file.
    """
    try:
        return find(name)
    except ConfigError as error:
        if _IDENTIFIER.match(name):
            error.hint = f'a value of the FlowContext is written `"{{{{ flowContext.{name} }}}}"`'
        raise


def as_image(item: Any) -> Image:
    """What is known of a picture, a blob or a link.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(item, Image):
        return item
    if isinstance(item, Blob):
        return _image("", item.content[:_LONG_HEAD], len(item.content), str(item["sha256"]), _named(item))
    if isinstance(item, str) and item[:5].lower() == "data:":
        content = decoded(item)
        return _image("", content[:_LONG_HEAD], len(content), "", "the data: address")
    if isinstance(item, str) and is_link(item):
        return Image(path=item, mime="", bytes=0, sha256="")
    raise ConfigError(
        f"{show(item)} is no picture to edit",
        code="wrong-type",
        hint="pictures to edit are files of the project, an imageList or a picture of it, blobs, links and `data:` "
        "addresses",
    )


def decoded(address: str) -> bytes:
    """The bytes that a `data:` address holds.

    Raises:
        ConfigError: it holds none.
    """
    import base64
    import binascii

    head, _, text = address.partition(",")
    try:
        if not head.lower().endswith(";base64"):
            raise ValueError("it is not base64")
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"a data: address holds no picture: {error}"
        raise ConfigError(message, code="image-unreadable", hint="it begins with `data:image/png;base64,`") from error


def image_in(path: str) -> Image:
    """What the first bytes of a file say of its picture, and its size.

    Raises:
        ConfigError: it is no picture, or cannot be read.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib is slow to import
            head, size = file.read(_HEAD), os.fstat(file.fileno()).st_size
            if (mime := media_type(head)) is not None and image_size(mime, head) is None:
                head += file.read(_LONG_HEAD)
    except OSError as error:
        message = f"{show(os.path.basename(path))} cannot be read: {error.strerror or error}"  # noqa: PTH119
        raise ConfigError(message, code="missing-file") from None
    return _image(path, head, size, "", show(os.path.basename(path)))  # noqa: PTH119


def head_of_image(image: Image) -> bytes:
    """The first bytes of a picture's file; none where it cannot be read."""
    try:
        with open(image.original, "rb") as file:  # noqa: PTH123  pathlib is slow to import
            return file.read(_HEAD)
    except OSError:
        return b""


def _named(blob: Blob) -> str:
    """What a blob is called in a message: its file, else its media type."""
    return show(blob.name) if blob.name else f"the blob of the type {show(blob['contentType'] or '?')}"


def _kind(head: bytes) -> str | None:
    """What bytes are that are no picture, where they say it."""
    import codecs

    start = head[:_SHOWN].lstrip().lower()
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head[:_HEAD])  # which may end within a character
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    return "a page of HTML" if start.startswith(_HTML) else "JSON" if start.startswith(_JSON) else "a text"


def _image(path: str, head: bytes, size: int, digest: str, name: str) -> Image:
    mime = media_type(head)
    if mime is None:
        other = other_type(head)
        kind = _kind(head)
        none = f"no picture, but {kind}" if kind else "no picture"
        what = f"a file of the format {other[0]}" if other else none if size else "empty"
        raise ConfigError(
            f"{name} is {what}", code="unsupported-value", hint="pictures to edit are PNG, JPEG or WebP files"
        )
    pixels = image_size(mime, head)
    width, height = (pixels.width, pixels.height) if pixels is not None else (None, None)
    return Image(path=path, mime=mime, bytes=size, sha256=digest, width=width, height=height)
