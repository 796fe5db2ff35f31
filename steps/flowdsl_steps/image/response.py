"""The response of a vendor, read while it arrives: JSON with pictures in base64.

The base64 of each picture is decoded and written to the image store chunk by chunk, so that a response of any size
costs a few buffers of memory; what is left of the JSON is small and read at the end.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flowdsl.errors import StepError
from flowdsl.image.formats import media_type, other_type
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore, ImageWriter
from flowdsl_steps.image.base64_text import Base64Text, unstorable
from flowdsl_steps.image.received import BrokenResponse, LinkedImage, Partial, Received

_NEXT_IN_LIST = re.compile(rb'\s*,\s*"')
_MAYBE_NEXT = re.compile(rb"\s*(,\s*)?\Z")
_DATA = re.compile(r'"data"\s*:\s*\[')
_NEXT_ITEM = re.compile(r"[\s,]*(?=\{)")
_LONGEST_KEY = 64
_REST_LIMIT = 4 * 1024 * 1024
_MOST_PICTURES = 64
_OF_ONE = ("bad-base64", "unwritable")
"""What can be wrong with one picture, while those behind it are good."""
_RECOGNISED = 64
"""So many bytes show what a body is."""


class Document:
    """One JSON document whose pictures go to the image store while it arrives in chunks of any size.

    A picture is the text under one of `keys`, or each text of a list under one, or a data: address under `url`, which
    then counts as the first of `keys`. `limit` is the most bytes it may have.
    """

    def __init__(self, store: ImageStore, limit: int, keys: Iterable[str] = ("b64_json",)) -> None:
        self._store = store
        self._limit = limit
        self._keys = tuple(keys)
        names = "|".join(map(re.escape, self._keys)).encode()
        self._key = re.compile(rb'(?<!\\)"(?:(?:' + names + rb')"\s*:\s*(\[\s*)?"|url"\s*:\s*"(?=data:))')
        self._mark = f"image {secrets.token_hex(8)} "  # stands for a picture in the JSON; nobody outside can write it
        self._in_list = False
        self._rest = bytearray()
        self._searched = 0
        self._text: Base64Text | None = None
        self._problems: dict[int, BrokenResponse] = {}
        self.writers: list[ImageWriter] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            BrokenResponse: more bytes than the limits.
            StepError: the store cannot write.
        """
        at = 0
        while at < len(chunk):
            at = self._feed_text(chunk, at) if self._text is not None else self._feed_rest(chunk, at)

    def _feed_text(self, chunk: bytes, at: int) -> int:
        assert self._text is not None  # noqa: S101  the caller's condition
        end = chunk.find(b'"', at)
        index = len(self.writers) - 1
        try:
            if index not in self._problems:
                self._text.feed(chunk[at : end if end >= 0 else len(chunk)])
                if end >= 0 and self._text.is_escaped:
                    self._text.feed(b'"')
                    return end + 1
                if end >= 0:
                    self._text.finish()
        except BrokenResponse as problem:
            if problem.reason not in _OF_ONE:
                raise
            self._problems[index] = problem  # the pictures behind it may be good
            self.writers[index].abort()
        if end < 0:
            return len(chunk)
        self._text = None
        self._rest += b'"'
        self._searched = len(self._rest)
        return end + 1

    def _feed_rest(self, chunk: bytes, at: int) -> int:
        """Looks for the next picture in what was not searched yet; a key may lie across two chunks."""
        before = len(self._rest)
        self._rest += chunk[at : at + _REST_LIMIT]
        found = self._next_picture()
        if found is not None and len(self.writers) >= _MOST_PICTURES:  # each holds a file open
            raise BrokenResponse("too-large", f"the response holds more than {_MOST_PICTURES} pictures")
        if found is None:
            if len(self._rest) > _REST_LIMIT:
                raise BrokenResponse(
                    "too-large", f"the response holds more than {_REST_LIMIT} bytes beside its pictures"
                )
            if not self._in_list:
                self._searched = max(self._searched, len(self._rest) - _LONGEST_KEY)
            return min(len(chunk), at + _REST_LIMIT)
        consumed = max(at, at + found.end() - before)
        begun = bytes(self._rest[found.end() : before])  # of a data: address that lies across two chunks
        del self._rest[found.end() :]
        self._rest += f"{self._mark}{len(self.writers)}".encode()
        self._searched = len(self._rest)
        self.writers.append(self._store.writer(self._limit))
        self._text = Base64Text(self.writers[-1])
        self._text.feed(begun)
        return consumed

    def _next_picture(self) -> re.Match[bytes] | None:
        """Where the next picture begins: behind a key, or as the next text of a list of them."""
        if self._in_list:
            found = _NEXT_IN_LIST.match(self._rest, self._searched)
            if found is not None:
                return found
            if _MAYBE_NEXT.match(self._rest, self._searched):
                # Blanks mean nothing here, and are not to be searched again with each chunk.
                self._rest[self._searched :] = bytes(self._rest[self._searched :]).strip()
                return None
            self._in_list = False
        found = self._key.search(self._rest, self._searched)
        self._in_list = found is not None and found[1] is not None
        return found

    def value(self) -> Any:
        """The document, with `ImageWriter`s in place of its pictures, and a `BrokenResponse` for one that is broken.

        Raises:
            BrokenResponse: it ended early, or is not JSON.
        """
        if self._text is not None:
            raise BrokenResponse("truncated", "the response ended inside a picture")
        try:
            return json.loads(self._rest, object_hook=self._with_writers)
        except (ValueError, RecursionError) as error:
            raise self._not_json() from error

    def _with_writers(self, found: dict[str, Any]) -> dict[str, Any]:
        if found.get("url", "") and self._is_mark(found["url"]):  # the picture itself in place of its address
            found[self._keys[0]] = found.pop("url")
        for key in self._keys:
            value = found.get(key)
            if isinstance(value, list):
                found[key] = [self._writer_of(item) for item in value]
            elif value is not None:
                found[key] = self._writer_of(value)
        return found

    def _is_mark(self, value: Any) -> bool:
        return isinstance(value, str) and value.startswith(self._mark)

    def _writer_of(self, value: Any) -> Any:
        if not self._is_mark(value):
            return value
        index = int(value.removeprefix(self._mark))
        return self._problems.get(index, self.writers[index])

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
        text = self._rest.decode("utf-8", "replace")
        decoder = json.JSONDecoder(object_hook=self._with_writers)
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
        whole = self.writers if self._text is None else self.writers[:-1]
        saved = []
        for writer in whole:
            if writer.is_open:
                with contextlib.suppress(StepError):
                    saved.append(writer.commit())
        return saved

    def abort(self) -> None:
        """Remove all that was not committed."""
        for writer in self.writers:
            writer.abort()


class ResponseReader:
    """Reads one response. Whoever made it calls `abort` in the end.

    A worker thread may feed it: an abort waits for the chunk in hand, and nothing is taken after it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._aborted = False
        self.partials: list[Partial] = []
        """Unfinished pictures that came since somebody last looked."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            BrokenResponse: an error in it, bad base64, or more bytes than the limit.
        """
        with self._lock:
            if not self._aborted:
                self._feed(chunk)

    def finish(self) -> Received:
        """What it holds, its pictures stored.

        Raises:
            BrokenResponse: it is not what the vendor promises.
        """
        raise NotImplementedError

    def salvage(self) -> Sequence[Image | LinkedImage]:
        """The pictures that came whole although the response did not."""
        raise NotImplementedError

    def rescue(self) -> Sequence[Image | LinkedImage]:
        """The same while a worker may still feed it: what is read is broken off."""
        with self._lock:
            return self.salvage()

    def abort(self) -> None:
        """Remove all that was not committed."""
        with self._lock:
            self._aborted = True
            self._abort()

    def _feed(self, chunk: bytes) -> None:
        raise NotImplementedError

    def _abort(self) -> None:
        raise NotImplementedError


class JsonResponse(ResponseReader):
    """Reads a JSON response: `read` makes of the parsed object, pictures as open writers in it, what it holds.

    `keys` name where its pictures stand.
    """

    def __init__(
        self,
        store: ImageStore,
        limit: int,
        read: Callable[[dict[str, Any]], Received],
        keys: Iterable[str] = ("b64_json",),
    ) -> None:
        super().__init__()
        self._document = Document(store, limit, keys)
        self._read = read
        self._store, self._limit = store, limit
        self._head: bytes | None = b""
        self._raw: RawResponse | None = None
        self._is_read = False

    def _feed(self, chunk: bytes) -> None:
        if self._head is not None:
            self._head += chunk
            if len(self._head) >= _RECOGNISED or self._head.lstrip().startswith(b"{"):
                self._begin()
        elif self._raw is not None:
            self._raw._feed(chunk)
        else:
            self._document.feed(chunk)

    def _begin(self) -> None:
        """Sees what the body is: some gateways send the picture itself."""
        head, self._head = self._head or b"", None
        if media_type(head) is not None or other_type(head) is not None:
            self._raw = RawResponse(self._store, self._limit)
            self._raw._feed(head)
        elif head:
            self._document.feed(head)

    def finish(self) -> Received:
        """What it holds, its pictures stored.

        Raises:
            BrokenResponse: no JSON object, or what `read` says of it.
        """
        if self._head is not None:
            self._begin()
        if self._raw is not None:
            return self._raw.finish()
        try:
            payload = self._document.value()
            if not isinstance(payload, dict):
                raise BrokenResponse("malformed", f"the response is JSON, but no object: {type(payload).__name__}")
            self._is_read = True
            return self._read(payload)
        except BrokenResponse as broken:
            if broken.reason in ("truncated", "malformed") and self._document.problem is not None:
                raise self._document.problem from None
            raise

    def salvage(self) -> list[Image | LinkedImage]:
        """The pictures that came whole although the response did not, and the addresses of some."""
        items = [] if self._is_read else self._document.items()
        images: Sequence[Image | LinkedImage] = ()
        try:
            images = self._read({"data": items}).images if items else ()
        except BrokenResponse as broken:
            images = broken.images
        except (StepError, LookupError, TypeError, ValueError, AttributeError):
            pass  # a full disk, or a vendor whose reader needs the rest: the failure that is known counts
        return [*images, *self._document.salvage()]

    def _abort(self) -> None:
        self._document.abort()
        if self._raw is not None:
            self._raw._abort()


class RawResponse(ResponseReader):
    """Reads a response whose body is the picture."""

    def __init__(self, store: ImageStore, limit: int, received: Received | None = None) -> None:
        super().__init__()
        self._writer = store.writer(limit)
        self._received = received or Received()

    def _feed(self, chunk: bytes) -> None:
        try:
            self._writer.write(chunk)
        except StepError as error:
            raise unstorable(error) from error

    def finish(self) -> Received:
        """The picture, stored.

        Raises:
            BrokenResponse: it is none.
        """
        if not self._writer.size:
            raise BrokenResponse("truncated", "the response has no body")
        return self._received._replace(images=(stored(self._writer),))

    def salvage(self) -> list[Image]:
        """Nothing: half a picture is none."""
        return []

    def _abort(self) -> None:
        self._writer.abort()


def stored(
    writer: ImageWriter | BrokenResponse,
    *,
    url: str | None = None,
    revised_prompt: str | None = None,
    url_expires_at: int | None = None,
) -> Image:
    """The picture of a writer that has taken all of its bytes.

    Raises:
        BrokenResponse: it is no picture, or no disk takes it.
    """
    if isinstance(writer, BrokenResponse):
        raise writer
    try:
        return writer.commit(url=url, revised_prompt=revised_prompt, url_expires_at=url_expires_at)
    except StepError as error:
        if error.code != "not-an-image":
            raise unstorable(error) from error
        raise BrokenResponse("not-an-image", error.message) from error
