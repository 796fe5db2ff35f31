"""The JSON answer of an images API, read while it arrives.

The base64 of each picture is decoded and written to the image store chunk by chunk, so that an answer of any size costs
a few buffers of memory; what is left of the JSON is small and read at the end.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pybase64

from flowdsl.errors import StepError
from flowdsl.image.store import Image, ImageStore, ImageWriter

URL_LIFETIME_S = 60 * 60
"""How long an image address of the vendor lives. Source: OpenAI API reference, Images: valid for 60 minutes."""

_KEY = re.compile(rb'(?<!\\)"b64_json"\s*:\s*"')
_LONGEST_KEY = 64
_REST_LIMIT = 4 * 1024 * 1024
_MARK = "image:"
_SPACE = b" \t\r\n"


class BrokenAnswer(Exception):
    """An answer that is not what the API promises; `images` holds the pictures that could be saved from it.

    `reason` is one of truncated, not-json, bad-base64, not-an-image, too-large, empty, malformed, vendor-error;
    for the last, `payload` is what the vendor sent.
    """

    def __init__(self, reason: str, message: str, *, payload: Any = None, images: Sequence[Image] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.payload = payload
        self.images = tuple(images)


class LinkedImage(NamedTuple):
    """A picture that the answer only gives the address of."""

    url: str
    revised_prompt: str | None
    url_expires_at: int | None


class Answer(NamedTuple):
    """What an answer holds: its pictures in order, and its other top-level keys."""

    images: tuple[Image | LinkedImage, ...]
    payload: Mapping[str, Any]


class Document:
    """One JSON document whose `b64_json` strings go to the image store while it arrives in chunks of any size.

    `limit` is the most bytes one picture may have.
    """

    def __init__(self, store: ImageStore, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._rest = bytearray()
        self._searched = 0
        self._text: _Base64Text | None = None
        self.writers: list[ImageWriter] = []

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            BrokenAnswer: bad base64, or more bytes than the limits.
            StepError: the store cannot write.
        """
        at = 0
        while at < len(chunk):
            at = self._feed_text(chunk, at) if self._text is not None else self._feed_rest(chunk, at)

    def _feed_text(self, chunk: bytes, at: int) -> int:
        assert self._text is not None  # noqa: S101  the caller's condition
        end = chunk.find(b'"', at)
        self._text.feed(chunk[at : end if end >= 0 else len(chunk)])
        if end < 0:
            return len(chunk)
        self._text.finish()
        self._text = None
        self._rest += b'"'
        return end + 1

    def _feed_rest(self, chunk: bytes, at: int) -> int:
        """Looks for the next picture in what was not searched yet; a key may lie across two chunks."""
        before = len(self._rest)
        self._rest += chunk[at : at + _REST_LIMIT]
        found = _KEY.search(self._rest, self._searched)
        if found is None:
            if len(self._rest) > _REST_LIMIT:
                raise BrokenAnswer("too-large", f"the answer holds more than {_REST_LIMIT} bytes beside its pictures")
            self._searched = max(self._searched, len(self._rest) - _LONGEST_KEY)
            return min(len(chunk), at + _REST_LIMIT)
        consumed = at + found.end() - before
        del self._rest[found.end() :]
        self._rest += f"{_MARK}{len(self.writers)}".encode()
        self._searched = len(self._rest)
        self.writers.append(self._store.writer(self._limit))
        self._text = _Base64Text(self.writers[-1])
        return consumed

    def value(self) -> Any:
        """The document, with `ImageWriter`s as the values of its `b64_json` keys.

        Raises:
            BrokenAnswer: it ended early, or is not JSON.
        """
        if self._text is not None:
            raise BrokenAnswer("truncated", "the answer ended inside a picture")
        try:
            return json.loads(self._rest, object_hook=self._with_writers)
        except (ValueError, RecursionError) as error:
            raise self._not_json() from error

    def _with_writers(self, found: dict[str, Any]) -> dict[str, Any]:
        text = found.get("b64_json")
        if isinstance(text, str) and text.startswith(_MARK):
            found["b64_json"] = self.writers[int(text.removeprefix(_MARK))]
        return found

    def _not_json(self) -> BrokenAnswer:
        start = bytes(self._rest[:200]).lstrip()
        if not start:
            return BrokenAnswer("truncated", "the answer has no body")
        if start.startswith((b"{", b"[")):
            return BrokenAnswer("truncated", "the answer ended early, or is not valid JSON")
        kind = "an HTML page" if start.startswith(b"<") else "no JSON"
        shown = " ".join(start[:60].decode("utf-8", "replace").split())
        return BrokenAnswer("not-json", f"the answer is {kind}: it begins with `{shown}`")

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


class _Base64Text:
    """Decodes the text of one JSON string while it arrives and hands the bytes to a writer."""

    __slots__ = ("_carry", "_ended", "_held", "_writer")

    def __init__(self, writer: ImageWriter) -> None:
        self._writer = writer
        self._carry = b""
        self._held = b""
        self._ended = False

    def feed(self, text: bytes) -> None:
        if self._held or b"\\" in text:
            text = self._unescape(self._held + text)
        self._decode(text)

    def _unescape(self, text: bytes) -> bytes:
        """JSON escapes resolved; one that is cut by the end of the chunk is held back.

        Some servers write `/` as `\\/` and `+` as `\\u002B`, and some break lines.
        """
        cut = text.rfind(b"\\", max(0, len(text) - 5))
        whole = cut < 0 or (len(text) - cut >= 2 and text[cut + 1 : cut + 2] != b"u")
        self._held = b"" if whole else text[cut:]
        try:
            plain: str = json.loads(b'"' + (text if whole else text[:cut]) + b'"')
            return plain.encode("ascii").translate(None, _SPACE)
        except ValueError as error:
            raise _bad_base64() from error

    def _decode(self, text: bytes) -> None:
        if self._carry:
            text = self._carry + text
        cut = len(text) & ~3
        self._carry = text[cut:]
        if not cut:
            return
        if self._ended:
            raise _bad_base64()
        try:
            content = pybase64.b64decode(memoryview(text)[:cut], validate=True)
        except ValueError as error:
            raise _bad_base64() from error
        self._ended = text[cut - 1 : cut] == b"="
        try:
            self._writer.write(content)
        except StepError as error:
            raise _unstorable(error) from error

    def finish(self) -> None:
        if self._carry or self._held:
            raise _bad_base64()


def _bad_base64() -> BrokenAnswer:
    return BrokenAnswer("bad-base64", "the answer holds a picture whose base64 is broken")


def _unstorable(error: StepError) -> Exception:
    return BrokenAnswer("too-large", error.message) if error.code == "image-too-large" else error


class AnswerReader:
    """Reads one answer. Whoever made it calls `abort` in the end.

    A worker thread may feed it: an abort waits for the chunk in hand, and nothing is taken after it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._aborted = False
        self.partials: list[int] = []
        """The indexes of unfinished pictures that came since somebody last looked."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            BrokenAnswer: an error in it, bad base64, or more bytes than the limit.
        """
        with self._lock:
            if not self._aborted:
                self._feed(chunk)

    def finish(self) -> Answer:
        """The answer, its pictures stored.

        Raises:
            BrokenAnswer: anything that is not an answer with at least one picture.
        """
        raise NotImplementedError

    def salvage(self) -> list[Image]:
        """The pictures that came whole although the answer did not."""
        raise NotImplementedError

    def abort(self) -> None:
        """Remove all that was not committed."""
        with self._lock:
            self._aborted = True
            self._abort()

    def _feed(self, chunk: bytes) -> None:
        raise NotImplementedError

    def _abort(self) -> None:
        raise NotImplementedError


class JsonAnswer(AnswerReader):
    """Reads the answer of a request that was not streamed."""

    def __init__(self, store: ImageStore, limit: int) -> None:
        super().__init__()
        self._document = Document(store, limit)

    def _feed(self, chunk: bytes) -> None:
        self._document.feed(chunk)

    def finish(self) -> Answer:
        """The answer, its pictures stored.

        Raises:
            BrokenAnswer: anything that is not an answer with at least one picture.
        """
        payload = self._document.value()
        if not isinstance(payload, dict):
            raise BrokenAnswer("malformed", f"the answer is JSON, but no object: {type(payload).__name__}")
        return answer_of(payload)

    def salvage(self) -> list[Image]:
        """The pictures that came whole although the answer did not."""
        return self._document.salvage()

    def _abort(self) -> None:
        self._document.abort()


def answer_of(payload: dict[str, Any]) -> Answer:
    """The answer in a parsed document whose pictures are still open writers.

    Raises:
        BrokenAnswer: an error object in it, no picture, or a wrong type.
    """
    if payload.get("error"):
        raise BrokenAnswer("vendor-error", "the answer holds an error", payload=payload)
    items = payload.pop("data", None)
    if items is None or items == []:
        raise BrokenAnswer("empty", "the answer holds no picture")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BrokenAnswer("malformed", "`data` in the answer is not a list of pictures")
    created = payload.get("created")
    expires = created + URL_LIFETIME_S if isinstance(created, int) else None
    images: list[Image | LinkedImage] = []
    problems: list[BrokenAnswer] = []
    for item in items:
        try:
            images.append(_picture(item, expires))
        except BrokenAnswer as problem:
            problems.append(problem)
    if problems:
        saved = [image for image in images if isinstance(image, Image)]
        raise BrokenAnswer(problems[0].reason, str(problems[0]), images=saved)
    return Answer(tuple(images), payload)


def _picture(item: dict[str, Any], url_expires_at: int | None) -> Image | LinkedImage:
    content, url, revised = item.get("b64_json"), item.get("url"), item.get("revised_prompt")
    revised_prompt = revised if isinstance(revised, str) else None
    url = url if isinstance(url, str) and url else None
    if isinstance(content, ImageWriter) and (content.size or url is None):
        try:
            expires = url_expires_at if url else None
            return content.commit(url=url, revised_prompt=revised_prompt, url_expires_at=expires)
        except StepError as error:
            if error.code != "not-an-image":
                raise
            raise BrokenAnswer("not-an-image", error.message) from error
    if url:
        return LinkedImage(url, revised_prompt, url_expires_at)
    raise BrokenAnswer("malformed", "a picture of the answer has neither `b64_json` nor `url`")
