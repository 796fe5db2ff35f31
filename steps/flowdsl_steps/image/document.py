"""A JSON document with pictures in it, read while it arrives.

The base64 of each picture is decoded and written to the image store chunk by chunk, so that a document of any size
costs a few buffers of memory; what is left of the JSON is small and read at the end. The document is followed token by
token only as far as that takes: inside and outside of strings, and whether the string that begins is a picture.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Iterable
from functools import cache
from typing import Any

from flowdsl.errors import StepError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore, ImageWriter
from flowdsl_steps.image.base64_text import Base64Text, unstorable
from flowdsl_steps.image.received import MOST_PICTURES, BrokenResponse

_BLANKS = re.compile(rb"[ \t\r\n]+")
_FEW = 8
"""So many blanks are left where they are; of more, one stays."""
_MAYBE_BLANKS = re.compile(rb"[ \t\r\n]*+")
_PLAIN = rb"""(?x)
    (?: [^"\ \t\r\n]++
      | [\ \t\r\n]{1,8}+ (?![\ \t\r\n])
      | " (?! (?:%(url)s|%(names)s)" ) [^"\\]*+ (?: \\. [^"\\]*+ )*+ "
      | "%(url)s" [\ \t\r\n]{0,8}+ : [\ \t\r\n]{0,8}+
        (?: (?= [^"\ \t\r\n] ) | " (?!d) [^"\\]*+ (?: \\. [^"\\]*+ )*+ " )
    )*+"""
"""What is of no interest: it is as much faster to pass over all of it at once as Python is slower than C."""
_NEXT_IN_LIST = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_BACKSLASH = 0x5C
_DATA_ADDRESS = b"data:"
_BREAKS = re.compile(r"[\r\n]")
_NEXT_ITEM = re.compile(r"[\s,]*(?=\{)")
_REST_LIMIT = 4 * 1024 * 1024
_OF_ONE = ("bad-base64", "unwritable")
"""What can be wrong with one picture, while those behind it are good."""


@cache
def _patterns(keys: tuple[str, ...]) -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[bytes]]:
    """What of a document is of no interest, a key at an end, and one behind which a picture may begin (its groups: it
    is `url`, it has a list)."""
    patterns = {b"url": _spelt("url"), b"names": b"|".join(map(_spelt, keys))}
    return (
        re.compile(_PLAIN % patterns, re.DOTALL),
        re.compile(rb'(?<!\\)"(?:%(url)s|%(names)s)"\Z' % patterns),
        re.compile(rb'(?<!\\)"(?:(%(url)s)|(?:%(names)s))"\s*:\s*(\[\s*)?\Z' % patterns),
    )


def _spelt(name: str) -> bytes:
    """The pattern of a key, which a gateway that breaks its lines at some width may have broken too."""
    return b"[\r\n]{0,2}".join(re.escape(char.encode()) for char in name)


_DATA = re.compile(rf'"{_spelt("data").decode()}"\s*:\s*\[')


class Document:
    """One JSON document whose pictures go to the image store while it arrives in chunks of any size.

    A picture is the text under one of `keys`, or each text of a list under one, or a data: address under `url`, which
    then counts as the first of `keys`. `limit` is the most bytes it may have. Blanks between strings count for nothing,
    however many there are.
    """

    def __init__(self, store: ImageStore, limit: int, keys: Iterable[str] = ("b64_json",)) -> None:
        self._store = store
        self._limit = limit
        self._keys = tuple(keys)
        self._plain, self._key, self._before = _patterns(self._keys)
        self._looked_at = 3 * max(map(len, (*self._keys, "url"))) + 4 * _FEW
        self._mark = f"image {secrets.token_hex(8)} "  # stands for a picture in the JSON; nobody outside can write it
        self._rest = bytearray()
        self._in_string = False
        self._is_behind_key = False
        self._address: int | None = None  # where the text of a `url` begins of which it is not known what it is
        self._list_from: int | None = None  # where a picture in a list has ended, while another one may be next
        self._in_picture = False
        self._text: Base64Text | None = None  # what decodes it, unless it is broken
        self._problems: dict[int, BrokenResponse] = {}
        self._read_late: list[int] = []
        self.writers: list[ImageWriter | None] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            BrokenResponse: more bytes than the limits.
        """
        at = 0
        while at < len(chunk):
            if self._in_picture:
                at = self._feed_picture(chunk, at)
            elif self._in_string:
                at = self._feed_string(chunk, at)
            else:
                at = self._feed_between(chunk, at)

    def _feed_picture(self, chunk: bytes, at: int) -> int:
        """Takes what is of a picture."""
        end = chunk.find(b'"', at)
        text = self._text
        try:
            if text is not None:
                text.feed(chunk[at : end if end >= 0 else len(chunk)])
                if end >= 0 and text.is_escaped:
                    text.feed(b'"')
                    return end + 1
                if end >= 0:
                    text.finish()
        except BrokenResponse as problem:
            self._break(problem)
        if end < 0:
            return len(chunk)
        self._in_picture, self._text = False, None
        self._rest += b'"'
        if self._list_from is not None:
            self._list_from = len(self._rest)
        return end + 1

    def _break(self, problem: BrokenResponse) -> None:
        """Notes what is wrong with the picture that comes, and leaves it."""
        if problem.reason not in _OF_ONE:
            raise problem
        index = len(self.writers) - 1
        self._problems[index], self._text = problem, None
        if (writer := self.writers[index]) is not None:
            writer.abort()

    def _feed_string(self, chunk: bytes, at: int) -> int:
        """Takes what is of a string that stays."""
        rest = self._rest
        end = chunk.find(b'"', at, at + _REST_LIMIT)
        stop = end if end >= 0 else min(len(chunk), at + _REST_LIMIT)
        rest += chunk[at:stop]
        if self._address is not None:
            begun = bytes(rest[self._address : self._address + len(_DATA_ADDRESS)])
            if begun == _DATA_ADDRESS:
                return self._begin_address(self._address, stop)
            if end >= 0 or not _DATA_ADDRESS.startswith(begun):
                self._address = None
        if end < 0:
            self._check_size()
            return stop
        rest += b'"'
        self._in_string = _is_escaped(rest)
        self._is_behind_key = not self._in_string and self._key.search(bytes(rest[-self._looked_at :])) is not None
        return end + 1

    def _feed_between(self, chunk: bytes, at: int) -> int:
        """Takes what is outside of strings, up to the quote of the next one, and sees what that is."""
        rest = self._rest
        if rest[-1:].isspace() and (blanks := _MAYBE_BLANKS.match(chunk, at)) is not None:
            at = blanks.end()
        if not self._is_behind_key and self._list_from is None:
            plain = self._plain.match(chunk, at, at + _REST_LIMIT)
            if plain is not None and plain.end() > at:
                rest += plain[0]
                self._check_size()
                return plain.end()
        end = chunk.find(b'"', at)
        rest += _BLANKS.sub(b" ", chunk[at : end if end >= 0 else len(chunk)])
        self._check_size()
        if end < 0:
            return len(chunk)
        if self._is_next_in_list():
            rest += b'"'
            self._begin_picture(b"")
            return end + 1
        found = self._before.search(bytes(rest[-self._looked_at :])) if self._is_behind_key else None
        self._is_behind_key = False
        rest += b'"'
        if found is None or (found[1] and found[2]):
            self._in_string = True
        elif found[1]:
            self._in_string, self._address = True, len(rest)
        else:
            self._list_from = 0 if found[2] else None
            self._begin_picture(b"")
        return end + 1

    def _is_next_in_list(self) -> bool:
        """Whether a string that begins now is the next of a list of pictures."""
        start, self._list_from = self._list_from, None
        if start is None or _NEXT_IN_LIST.fullmatch(self._rest, start) is None:
            return False
        self._list_from = start
        return True

    def _begin_address(self, start: int, at: int) -> int:
        """A `url` that holds the picture itself."""
        self._in_string, self._address = False, None
        begun = bytes(self._rest[start:])
        del self._rest[start:]
        self._begin_picture(begun)
        return at

    def _begin_picture(self, begun: bytes) -> None:
        self._rest += f"{self._mark}{len(self.writers)}".encode()
        self._in_picture = True
        try:
            self._text = self._opened()
            self._text.feed(begun)
        except BrokenResponse as problem:
            self._break(problem)

    def _opened(self) -> Base64Text:
        """What decodes the next picture."""
        if len(self.writers) >= MOST_PICTURES:  # each holds a file open
            raise BrokenResponse("too-large", f"the response holds more than {MOST_PICTURES} pictures")
        self.writers.append(None)
        try:
            writer = self.writers[-1] = self._store.writer(self._limit)
        except StepError as error:
            raise unstorable(error) from error
        return Base64Text(writer)

    def _check_size(self) -> None:
        if len(self._rest) > _REST_LIMIT:
            raise BrokenResponse("too-large", f"the response holds more than {_REST_LIMIT} bytes beside its pictures")

    def value(self) -> Any:
        """The document, with `ImageWriter`s in place of its pictures, and a `BrokenResponse` for one that is broken.

        Raises:
            BrokenResponse: it ended early, or is not JSON.
        """
        if self._in_picture:
            raise BrokenResponse("truncated", "the response ended inside a picture")
        try:
            return json.loads(self._json(), object_hook=self._with_writers, strict=False)
        except (ValueError, RecursionError) as error:
            raise self._not_json() from error

    def _json(self) -> str:
        """The document as a text. No picture is lost for what is wrong with the texts beside it."""
        return self._rest.decode("utf-8", "replace").removeprefix("\ufeff")

    def _with_writers(self, found: dict[str, Any]) -> dict[str, Any]:
        broken = {key: _BREAKS.sub("", key) for key in found if "\n" in key or "\r" in key}
        for key, whole in broken.items():
            found.setdefault(whole, found.pop(key))
        first, url = self._keys[0], found.get("url")
        if isinstance(url, str) and ("\n" in url or "\r" in url):
            url = found["url"] = _BREAKS.sub("", url)
        if isinstance(url, str) and (url.startswith(self._mark) or url[:16].lstrip()[:5].lower() == "data:"):
            del found["url"]  # the picture itself in place of its address
            found[first] = found.get(first) or url.lstrip()
        for key in self._keys:
            value = found.get(key)
            if isinstance(value, list):
                found[key] = [self._writer_of(item) for item in value]
            elif isinstance(value, str):
                found[key] = self._writer_of(value)
        return found

    def _writer_of(self, value: Any) -> Any:
        """The picture that a mark stands for, or that a text holds of which nobody knew, for its key was spelt with
        escapes, or it stood in a list behind something else."""
        if not isinstance(value, str):
            return value
        if value.startswith(self._mark):
            index = int(value.removeprefix(self._mark))
            return self._problems.get(index) or self.writers[index]
        try:
            text = self._opened()
            self._read_late.append(len(self.writers) - 1)
            text.feed(value.encode("utf-8", "replace").replace(b"\\", b"?"))
            text.finish()
        except BrokenResponse as problem:
            self._break(problem)
            return problem
        return self.writers[-1]

    @property
    def problem(self) -> BrokenResponse | None:
        """What is wrong with the first broken picture."""
        return next(iter(self._problems.values()), None)

    def _not_json(self) -> BrokenResponse:
        start = bytes(self._rest[:200]).lstrip()
        if not start:
            return BrokenResponse("truncated", "the response has no body")
        if start.startswith((b"{", b"[")):
            return BrokenResponse("truncated", "the response ended early, or is not valid JSON")
        kind = "an HTML page" if start.startswith(b"<") else "no JSON"
        shown = " ".join(start[:60].decode("utf-8", "replace").split())
        return BrokenResponse("not-json", f"the response is {kind}: it begins with `{shown}`")

    def items(self) -> list[Any]:
        """What came whole of the list `data` of a document that did not, with `ImageWriter`s as in its value."""
        for index in self._read_late:  # they are read again
            if (writer := self.writers[index]) is not None:
                writer.abort()
        text = self._json()
        decoder = json.JSONDecoder(object_hook=self._with_writers, strict=False)
        found: list[Any] = []
        begin = _DATA.search(text)
        with contextlib.suppress(ValueError, RecursionError):
            at = len(text) if begin is None else begin.end()
            while (blanks := _NEXT_ITEM.match(text, at)) is not None:
                item, at = decoder.raw_decode(text, blanks.end())
                found.append(item)
        return found

    def text(self) -> bytes:
        """What came beside the pictures."""
        return bytes(self._rest)

    def salvage(self) -> list[Image]:
        """The pictures that came whole although the document did not, stored now."""
        whole = self.writers[:-1] if self._in_picture else self.writers
        saved = []
        for writer in whole:
            if writer is not None and writer.is_open:
                with contextlib.suppress(StepError):
                    saved.append(writer.commit())
        return saved

    def abort(self) -> None:
        """Remove all that was not committed."""
        for writer in self.writers:
            if writer is not None:
                writer.abort()


def _is_escaped(text: bytearray) -> bool:
    """Whether the quote at the end of a text belongs to the string it is in."""
    at = len(text) - 2
    while at >= 0 and text[at] == _BACKSLASH:
        at -= 1
    return (len(text) - at) % 2 == 1
