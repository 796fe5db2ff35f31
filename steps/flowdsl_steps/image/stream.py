"""The streamed response of an images API (`text/event-stream`), read while it arrives.

Source: OpenAI API reference, Image generation streaming events; WHATWG HTML, Server-sent events 9.2.
"""

from __future__ import annotations

from typing import Any

from flowdsl.errors import StepError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore, ImageWriter
from flowdsl_steps.image.document import Document
from flowdsl_steps.image.images_api import received_of, with_facts
from flowdsl_steps.image.received import BrokenResponse, LinkedImage, Partial, Received
from flowdsl_steps.image.response import ResponseReader
from flowdsl_steps.image.usage import added

_FIELD_LIMIT = 64


class StreamedResponse(ResponseReader):
    """Reads a stream of events: partial pictures are stored beside what the run made, as they are paid for."""

    def __init__(self, store: ImageStore, limit: int) -> None:
        super().__init__()
        self._store = store
        self._limit = limit
        self._line = b""
        self._in_data = False
        self._document: Document | None = None
        self._images: list[Image | LinkedImage] = []
        self._payload: dict[str, Any] = {}
        self._problem: BrokenResponse | None = None
        self._done = False

    def _feed(self, chunk: bytes) -> None:
        at = 0
        while at < len(chunk) and not self._done:
            end = chunk.find(b"\n", at)
            piece = chunk[at : end if end >= 0 else len(chunk)]
            self._feed_piece(piece)
            if end < 0:
                return
            self._end_line()
            at = end + 1

    def _feed_piece(self, piece: bytes) -> None:
        if self._in_data:
            self._data(piece)
            return
        self._line += piece
        field, colon, value = self._line.partition(b":")
        if colon and field == b"data":
            self._in_data = True
            self._data(value)
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
        self._in_data, self._line = False, b""
        if blank:
            self._end_event()

    def _end_event(self) -> None:
        if self._document is not None:
            self._event(self._document)  # one that is broken may hold a picture that came whole
            self._document.abort()
            self._document = None

    def _event(self, document: Document) -> None:
        if document.text().strip() == b"[DONE]":
            self._done = True
            return
        event = document.value()
        if not isinstance(event, dict):
            raise BrokenResponse("malformed", "an event of the stream is not an object")
        kind = str(event.get("type", ""))
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
        usage = added(self._payload.get("usage"), received.payload.get("usage"))
        self._payload = {**received.payload, "usage": usage}

    def finish(self) -> Received:
        """What it holds, its pictures stored.

        Raises:
            BrokenResponse: the stream ended before a completed picture, or one of them is broken.
        """
        self._end_event()
        if (first := self._problem) is not None:
            raise BrokenResponse(
                first.reason, str(first), payload=first.payload, images=self._images, error=first.error
            )
        if not self._images:
            raise BrokenResponse("truncated", "the stream ended before the picture was complete")
        return with_facts(Received(tuple(self._images), self._payload))

    def _abort(self) -> None:
        if self._document is not None:
            self._document.abort()

    def salvage(self) -> list[Image | LinkedImage]:
        """The pictures that were completed although the stream was not."""
        document, begun = self._document, []
        if document is not None and b'.completed"' in document.text():
            begun = document.salvage()
        return [*self._images, *begun]


def _stored(came: Any) -> Image | None:
    """A partial picture, stored; None when it is broken, which is no reason to lose the whole one."""
    if not isinstance(came, ImageWriter):
        return None
    try:
        return came.commit(partial=True)
    except StepError:
        return None
