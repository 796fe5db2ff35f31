"""What a batch leaves behind, read as a stream: each picture goes to the store while its line arrives.

A file of 50,000 lines of 2 MB is read with the memory of a few buffers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any, NamedTuple

import httpx

from flowdsl.errors import ServiceUnavailable
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.document import Document
from flowdsl_steps.image.images_api import received_of
from flowdsl_steps.image.received import BrokenResponse, Received
from flowdsl_steps.image.vendor_batch.api import BatchApi

_HEAD_BYTES = 512
_LARGE = 32 * 1024
_NAMED = re.compile(rb'"custom_id"\s*:\s*"([^"\\]{1,256})"')
_TRIES = 5
_IMAGE = ("path", "mime", "bytes", "sha256", "width", "height", "revised_prompt")
_FACTS = ("usage", "size", "quality")
_PAYLOAD = ("created", "background", "output_format", "quality", "size", "usage")


class Answer(NamedTuple):
    """What a line says of a request: `received`, or a `status` and a `body` with an error, or the `code` of why it was
    not done. `broken` is what is wrong with an answer that is none."""

    id: str
    received: Received | None = None
    request_id: str | None = None
    status: int | None = None
    body: dict[str, Any] | None = None
    code: str | None = None
    broken: BrokenResponse | None = None


async def answers(
    api: BatchApi, file: str, store: ImageStore, limit: int, is_wanted: Callable[[str], bool], service: str
) -> AsyncGenerator[Answer]:
    """The answers in a file, in its order, each once. Lines whose id is not wanted are passed over, so one that broke
    off is read again from its beginning.

    Raises:
        ServiceError: the file is not given.
    """
    seen: set[str] = set()
    for tried in range(_TRIES):
        lines = _Lines(store, limit, lambda id: id not in seen and is_wanted(id))
        try:
            async with api.content(file) as pieces:
                async for piece in pieces:
                    async for answer in lines.feed(piece):
                        seen.add(answer.id)
                        yield answer
            async for answer in lines.feed(b"\n"):
                seen.add(answer.id)
                yield answer
        except (httpx.HTTPError, TimeoutError) as error:
            if tried == _TRIES - 1:
                raise ServiceUnavailable(
                    f"the results of a batch of {service} break off again and again: {error}",
                    service=service,
                    retryable=True,
                    hint="they are kept there: the same command goes on with them",
                ) from error
        else:
            return
        finally:
            lines.abort()
        await asyncio.sleep(0.2 * 2**tried)


class _Lines:
    """A file of lines that arrives in pieces of any size."""

    def __init__(self, store: ImageStore, limit: int, is_wanted: Callable[[str], bool]) -> None:
        self._store = store
        self._limit = limit
        self._is_wanted = is_wanted
        self._head = b""
        self._name: str | None = None
        self._document: Document | None = None
        self._broken: BrokenResponse | None = None
        self._is_passed_over = False

    async def feed(self, piece: bytes) -> AsyncGenerator[Answer]:
        """The answers of the lines that end in a piece."""
        *ended, rest = piece.split(b"\n")
        for end in ended:
            await self._take(end)
            answer = self._ended()
            if answer is not None:
                yield answer
        await self._take(rest)

    def abort(self) -> None:
        """Removes what has not come whole."""
        if self._document is not None:
            self._document.abort()

    async def _take(self, piece: bytes) -> None:
        if not piece or self._is_passed_over:
            return
        if self._document is None:
            self._head += piece
            if len(self._head) < _HEAD_BYTES:
                return
            piece, self._head = self._head, b""
            self._begin(piece)
        await self._pass(piece)

    def _begin(self, head: bytes) -> None:
        """Sees whose line it is, where its beginning says so, as it does at OpenAI."""
        named = _NAMED.search(head[:_HEAD_BYTES])
        self._name = None if named is None else named[1].decode("utf-8", "replace")
        self._is_passed_over = self._name is not None and not self._is_wanted(self._name)
        if not self._is_passed_over:
            self._document = Document(self._store, self._limit)

    async def _pass(self, piece: bytes) -> None:
        if self._document is None or self._broken is not None:
            return
        try:
            if len(piece) < _LARGE:
                self._document.feed(piece)
            else:
                await asyncio.to_thread(self._document.feed, piece)
        except BrokenResponse as broken:
            self._broken = broken

    def _ended(self) -> Answer | None:
        """What the line says that has come to its end."""
        if self._head:
            head, self._head = self._head, b""
            self._begin(head)
            if self._document is not None:
                try:
                    self._document.feed(head)
                except BrokenResponse as problem:
                    self._broken = problem
        document, self._document = self._document, None
        broken, self._broken = self._broken, None
        name, self._name = self._name, None
        self._is_passed_over = False
        if document is None:
            return None
        try:
            answer = Answer(name, broken=broken) if broken is not None and name else _read(document)
            return answer if answer is not None and self._is_wanted(answer.id) else None
        except BrokenResponse as problem:
            return Answer(name, broken=problem) if name is not None else None
        finally:
            document.abort()


def _read(document: Document) -> Answer | None:
    """The answer in a line.

    Raises:
        BrokenResponse: it is none.
    """
    line = document.value()
    if not isinstance(line, dict) or not isinstance(line.get("custom_id"), str):
        return None
    name, response, error = line["custom_id"], line.get("response"), line.get("error")
    if not isinstance(response, dict):
        code = error.get("code") if isinstance(error, dict) else None
        return Answer(name, code=str(code or "unknown"))
    status, body, said = response.get("status_code"), response.get("body"), response.get("request_id")
    request_id = said if isinstance(said, str) else None
    if not isinstance(body, dict):
        body = {}
    if not isinstance(status, int) or not 200 <= status < 300:
        return Answer(name, None, request_id, status if isinstance(status, int) else 500, body)
    try:
        return Answer(name, received_of(body), request_id, status)
    except BrokenResponse as broken:
        return Answer(name, None, request_id, status, broken=broken)


def kept(received: Received, request_id: str | None) -> dict[str, Any]:
    """What was received, as JSON values."""
    images = [image for image in received.images if isinstance(image, Image)]
    return {
        "images": [
            {name: getattr(image, name if name != "path" else "original") for name in _IMAGE} for image in images
        ],
        "payload": {name: value for name, value in received.payload.items() if name in _PAYLOAD},
        **{name: getattr(received, name) for name in _FACTS},
        "requestId": request_id,
    }


def received_again(value: dict[str, Any]) -> Received:
    """What was received, of what was kept of it."""
    images = tuple(Image(**each) for each in value["images"])
    found = Received(images, value.get("payload") or {}, request_id=value.get("requestId"))
    return found._replace(usage=value["usage"], size=value["size"], quality=value["quality"])


def without_words(value: dict[str, Any]) -> dict[str, Any]:
    """What is kept, of an answer or of an error, without texts of the vendor that may repeat the prompt."""
    if "images" in value:
        return {**value, "images": [{**each, "revised_prompt": None} for each in value["images"]]}
    return {**value, "message": f"the vendor refused the request [{value.get('vendor_code') or value['code']}]"}
