"""The response of a vendor, read while it arrives: a JSON document with pictures in it, or the picture itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flowdsl.errors import StepError
from flowdsl.image.formats import media_type, other_type
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore, ImageWriter
from flowdsl_steps.image.base64_text import unstorable
from flowdsl_steps.image.document import Document
from flowdsl_steps.image.received import BrokenResponse, Finished, LinkedImage, Partial, Received

_RECOGNISED = 64
"""So many bytes show what a body is."""


class ResponseReader:
    """Reads one response. Whoever made it calls `abort` in the end.

    A worker thread may feed it: an abort waits for the chunk in hand, and nothing is taken after it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._aborted = False
        self.partials: list[Partial | Finished] = []
        """The pictures of a stream that came since somebody last looked, unfinished ones and others."""

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
    writer: Any,
    *,
    url: str | None = None,
    revised_prompt: str | None = None,
    url_expires_at: int | None = None,
) -> Image:
    """The picture of what stands for one in a document: a writer that has taken all of its bytes.

    Raises:
        BrokenResponse: it is no picture, or none at all, or no disk takes it.
    """
    if isinstance(writer, BrokenResponse):
        raise writer
    if not isinstance(writer, ImageWriter):
        kind = type(writer).__name__
        raise BrokenResponse("malformed", f"the response holds {kind} where the text of a picture is meant")
    try:
        return writer.commit(url=url, revised_prompt=revised_prompt, url_expires_at=url_expires_at)
    except StepError as error:
        if error.code != "not-an-image":
            raise unstorable(error) from error
        raise BrokenResponse("not-an-image", error.message) from error


def all_stored(writers: Iterable[Any]) -> tuple[Image, ...]:
    """The pictures of several.

    Raises:
        BrokenResponse: what is wrong with one of them; the others are in its `images`.
    """
    images: list[Image] = []
    problems: list[BrokenResponse] = []
    for writer in writers:
        try:
            images.append(stored(writer))
        except BrokenResponse as problem:
            problems.append(problem)
    if problems:
        first = next((problem for problem in problems if problem.error is not None), problems[0])
        raise BrokenResponse(first.reason, str(first), payload=first.payload, images=images, error=first.error)
    return tuple(images)
