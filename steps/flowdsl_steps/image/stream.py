"""The streamed response of an images API (`text/event-stream`), read while it arrives.

Source: OpenAI API reference, Image generation streaming events; WHATWG HTML, Server-sent events 9.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowdsl.errors import StepError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore, ImageWriter
from flowdsl_steps.image.document import Document
from flowdsl_steps.image.images_api import received_of, with_facts
from flowdsl_steps.image.received import BrokenResponse, Finished, LinkedImage, Partial, Received
from flowdsl_steps.image.response import JsonResponse, ResponseReader
from flowdsl_steps.image.usage import added

_FIELD_LIMIT = 64
_MARK = b"\xef\xbb\xbf"
"""The byte order mark, which a stream may begin with."""
_BEGINNING = 64
_FIELDS = (b"data", b"event", b"id", b"retry", b":")
_LONGEST_FIELD = 5


class StreamedResponse(ResponseReader):
    """Reads a stream of events: partial pictures are stored beside what the run made, as they are paid for.

    Lines end as they may: LF, CRLF, CR. A body that begins as no stream does is read as a document, whatever its header
    says; where that does not say that it `is_declared` a stream, it has to begin with one of its fields.
    """

    def __init__(self, store: ImageStore, limit: int, *, is_declared: bool = True) -> None:
        super().__init__()
        self._is_declared = is_declared
        self._store = store
        self._limit = limit
        self._head: bytes | None = b""  # the beginning, until it is known what the body is
        self._plain: JsonResponse | None = None
        self._is_behind_cr = False
        self._line = b""
        self._in_data = False
        self._name = b""  # of the event, where a line says it
        self._document: Document | None = None
        self._images: list[Image | LinkedImage] = []
        self._payload: dict[str, Any] = {}
        self._problem: BrokenResponse | None = None
        self._odd: BrokenResponse | None = None
        self._done = False

    def _feed(self, chunk: bytes) -> None:
        if self._head is not None:
            self._head += chunk
            if len(self._head.removeprefix(_MARK).lstrip()) < _LONGEST_FIELD and len(self._head) < _BEGINNING:
                return
            chunk = self._begin()
        self._take(chunk)

    def _begin(self) -> bytes:
        """Sees what the body is; gives what came of it."""
        head, self._head = (self._head or b"").removeprefix(_MARK), None
        begun = head.lstrip()
        is_line = begun.startswith(_FIELDS) or (self._is_declared and begun[:1].isalpha())
        if begun and not is_line:
            self._plain = JsonResponse(self._store, self._limit, received_of)
        return head

    def _take(self, chunk: bytes) -> None:
        if self._plain is not None:
            self._plain.feed(chunk)
        else:
            self._feed_lines(chunk)

    def _feed_lines(self, chunk: bytes) -> None:
        at = int(self._is_behind_cr and chunk.startswith(b"\n"))
        if chunk:
            self._is_behind_cr = False
        line_feed = -2
        while at < len(chunk) and not self._done:
            if -1 != line_feed < at:
                line_feed = chunk.find(b"\n", at)
            end = chunk.find(b"\r", at, line_feed if line_feed >= 0 else len(chunk))
            is_return = end >= 0
            end = end if is_return else line_feed
            self._feed_piece(chunk[at : end if end >= 0 else len(chunk)])
            if end < 0:
                return
            self._end_line()
            at = end + 1
            if is_return:
                self._is_behind_cr = at == len(chunk)
                at += chunk.startswith(b"\n", at)

    def _feed_piece(self, piece: bytes) -> None:
        if self._in_data:
            self._data(piece)
            return
        self._line += piece[:_FIELD_LIMIT]
        field, colon, _ = self._line.partition(b":")
        if colon and field == b"data":
            self._in_data = True
            self._data(self._line[len(b"data:") :] + piece[_FIELD_LIMIT:])
        elif len(self._line) > _FIELD_LIMIT:
            self._line = self._line[:_FIELD_LIMIT]

    def _data(self, piece: bytes) -> None:
        if self._document is None:
            self._document = Document(self._store, self._limit)
        self._document.feed(piece)

    def _end_line(self) -> None:
        blank = not self._in_data and not self._line.strip()
        if self._in_data:
            self._data(b"\n")
        elif self._line.startswith(b"event:"):
            self._name = self._line[len(b"event:") :].strip()
        self._in_data, self._line = False, b""
        if blank:
            self._end_event()

    def _end_event(self) -> None:
        if self._document is not None:
            self._event(self._document)  # one that is broken may hold a picture that came whole
            self._document.abort()
            self._document = None
        self._name = b""

    def _event(self, document: Document) -> None:
        text = document.text().strip()
        if text == b"[DONE]":
            self._done = True
            return
        if not text:
            return
        try:
            event = document.value()
            if not isinstance(event, dict):
                raise BrokenResponse("malformed", "an event of the stream is not an object")
        except BrokenResponse as problem:  # the pictures behind it may be good
            if text.startswith(b"{"):
                self._images += document.salvage() if self._is_completed(document) else ()
                self._problem = self._problem or problem
            else:
                self._odd = self._odd or problem  # a sign of life, or what was sent in place of a picture
            return
        kind = str(event.get("type") or self._name.decode("utf-8", "replace"))
        if event.get("error") or kind == "error":
            payload = event if event.get("error") else {"error": event}
            raise BrokenResponse("vendor-error", "the stream holds an error", payload=payload)
        if kind.endswith(".partial_image"):
            index = event.get("partial_image_index")
            self.partials.append(Partial(index if isinstance(index, int) else 0, _stored(event.get("b64_json"))))
        elif kind.endswith(".completed"):
            self._complete(event)

    def _complete(self, event: dict[str, Any]) -> None:
        keys = ("b64_json", "url", "revised_prompt", "finish_reason", "finishReason", "message")
        created = event.pop("created_at", None)
        item = {key: event.pop(key) for key in keys if key in event}
        try:
            received = received_of({**event, "created": created, "data": [item]})
        except BrokenResponse as problem:
            self._problem = self._problem or problem  # the pictures behind it may be good
            return
        self._images.extend(received.images)
        for image in received.images:
            if isinstance(image, Image):
                self.partials.append(Finished(image, received.usage, received.quality))
        usage = added(self._payload.get("usage"), received.usage)
        self._payload = {**received.payload, "usage": usage}

    def finish(self) -> Received:
        """What it holds, its pictures stored.

        Raises:
            BrokenResponse: the stream ended before a completed picture, or one of them is broken.
        """
        if self._head is not None:
            self._take(self._begin())
        if self._plain is not None:
            return self._plain.finish()
        self._end_event()
        if (first := self._problem) is not None:
            raise BrokenResponse(
                first.reason, str(first), payload=first.payload, images=self._images, error=first.error
            )
        if not self._images:
            raise self._odd or BrokenResponse("truncated", "the stream ended before the picture was complete")
        return with_facts(Received(tuple(self._images), self._payload))

    def _abort(self) -> None:
        if self._document is not None:
            self._document.abort()
        if self._plain is not None:
            self._plain.abort()

    def _is_completed(self, document: Document) -> bool:
        """Whether the pictures of an event that is not whole are."""
        return b'.completed"' in document.text() or self._name.endswith(b".completed")

    def salvage(self) -> Sequence[Image | LinkedImage]:
        """The pictures that were completed although the stream was not."""
        if self._plain is not None:
            return self._plain.salvage()
        document = self._document
        begun = document.salvage() if document is not None and self._is_completed(document) else []
        return [*self._images, *begun]


def _stored(came: Any) -> Image | None:
    """A partial picture, stored; None when it is broken, which is no reason to lose the whole one."""
    if not isinstance(came, ImageWriter):
        return None
    try:
        return came.commit(partial=True)
    except StepError:
        return None
