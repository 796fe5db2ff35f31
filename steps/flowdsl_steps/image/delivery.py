"""One paid request: sent, answered, and sent again only where that cannot be paid for twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import httpx

from flowdsl.errors import ServiceError
from flowdsl.image.store import Image, ImageStore
from flowdsl_steps.http.pause import delay_s
from flowdsl_steps.http.transport import Delivery, open_client
from flowdsl_steps.image.answer import Answer, AnswerReader, BrokenAnswer, JsonAnswer
from flowdsl_steps.image.destination import Destination
from flowdsl_steps.image.retry import Failure, Verdict, classify, request_id
from flowdsl_steps.image.stream import StreamedAnswer
from flowdsl_steps.image.vendor_error import read_error
from flowdsl_steps.image.workers import Workers

_ERROR_BODY_LIMIT = 64 * 1024
_SMALL_CHUNK = 32 * 1024
_WORKERS = 2


class Terms(NamedTuple):
    """Under which terms a request is made: deadline of one attempt, resends, and the most bytes it may bring."""

    timeout_s: float
    max_retries: int
    resend_unknown: bool
    image_bytes: int
    answer_bytes: int


class Delivered(NamedTuple):
    """An answer, how many requests it took, and whether one of them may have been billed for nothing."""

    answer: Answer
    attempts: int
    request_id: str | None
    charged_before: bool


class Channel:
    """The shared way to one service: a pooled client, at most so many requests at once, at most so many a minute.

    `workers` take what comes off the loop: decoding, hashing and writing pictures.
    """

    def __init__(
        self, client: httpx.AsyncClient, workers: Workers, concurrency: int | None, rate_limit: float | None
    ) -> None:
        self.client = client
        self.workers = workers
        self._slots = asyncio.Semaphore(concurrency) if concurrency else None
        self._interval_s = 60.0 / rate_limit if rate_limit else 0.0
        self._next = 0.0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may be sent, and hold the place while it goes on."""
        async with self._slots or contextlib.nullcontext():
            if self._interval_s:
                now = time.monotonic()
                at = max(now, self._next)
                self._next = at + self._interval_s
                await asyncio.sleep(at - now)
            yield


@contextlib.asynccontextmanager
async def open_channel(
    ca_pem: str | None, client_pem: str | None, concurrency: int | None, rate_limit: float | None
) -> AsyncIterator[Channel]:
    """A channel with its client, closed at the end."""
    with Workers(_WORKERS) as workers:
        async with open_client(ca_pem=ca_pem, client_pem=client_pem) as client:
            yield Channel(client, workers, concurrency, rate_limit)


class _Failed(Exception):
    """An attempt that failed, with the pictures that came nevertheless."""

    def __init__(self, failure: Failure, images: Sequence[Image] = ()) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.images = tuple(images)


class Courier:
    """Makes the requests of one step: the same destination, terms and ears for all of them.

    `on_retry` is told before each pause, `on_partial` of each unfinished picture of a stream. `attempts` counts the
    requests of all deliveries.
    """

    def __init__(
        self,
        channel: Channel,
        destination: Destination,
        store: ImageStore,
        terms: Terms,
        on_retry: Callable[[ServiceError, float], None],
        on_partial: Callable[[int], None],
    ) -> None:
        self._channel = channel
        self._destination = destination
        self._store = store
        self._terms = terms
        self._on_retry = on_retry
        self._on_partial = on_partial
        self.attempts = 0

    async def deliver(self, body: Mapping[str, Any]) -> Delivered:
        """The answer to a request, resent while that is safe and allowed.

        Raises:
            ServiceError: the last failure; `attempts` says how often the request was sent, `details["images"]` holds
                pictures that came before it.
        """
        content = json.dumps(body, ensure_ascii=False).encode()
        attempts, charged = 0, False
        while True:
            attempts += 1
            self.attempts += 1
            try:
                async with self._channel.turn():
                    answer, name = await self._attempt(content)
                return Delivered(answer, attempts, name, charged)
            except _Failed as failed:
                verdict = classify(failed.failure, self._destination)
                charged = charged or verdict.error.charge_possible
                pause = self._pause_s(verdict, failed.failure, attempts - 1)
                if pause is None:
                    raise _final(verdict.error, attempts, charged, failed.images) from failed
                self._on_retry(verdict.error, pause)
            await asyncio.sleep(pause)

    def _pause_s(self, verdict: Verdict, failure: Failure, retries: int) -> float | None:
        """How long to wait before the request is sent again; None when it is not."""
        again = verdict.retry_class == "retry" or (verdict.retry_class == "unknown" and self._terms.resend_unknown)
        if not again or retries >= self._terms.max_retries:
            return None
        return delay_s(retries, failure.headers)

    async def _attempt(self, content: bytes) -> tuple[Answer, str | None]:
        delivery, limit_s = Delivery(), self._terms.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._exchange(content, delivery)
        except TimeoutError:
            raise _Failed(Failure("timeout", delivery.sent, deadline_s=limit_s)) from None
        except httpx.HTTPError as error:
            kind = "broken" if delivery.sent else "connect"
            raise _Failed(Failure(kind, delivery.sent, str(error) or type(error).__name__)) from error  # type: ignore[arg-type]  # one of the two

    async def _exchange(self, content: bytes, delivery: Delivery) -> tuple[Answer, str | None]:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "flowdsl"}
        async with self._channel.client.stream(
            "POST",
            self._destination.url,
            content=content,
            headers={**headers, **self._destination.headers},
            extensions={"delivery": delivery},
        ) as response:
            if not response.is_success:
                raise _Failed(await _refusal(response))
            return await self._read(response), request_id(response.headers)

    async def _read(self, response: httpx.Response) -> Answer:
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        limit = self._terms.image_bytes
        parser: AnswerReader = StreamedAnswer(self._store, limit) if streamed else JsonAnswer(self._store, limit)
        size = 0
        try:
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > self._terms.answer_bytes:
                    raise BrokenAnswer("too-large", f"it is larger than the limit of {self._terms.answer_bytes} bytes")
                await self._feed(parser, chunk)
            return parser.finish()
        except BrokenAnswer as broken:
            vendor = read_error(broken.payload) if broken.payload is not None else None
            failure = Failure("answer", True, str(broken), None, response.headers, vendor, broken.reason)
            raise _Failed(failure, broken.images or parser.salvage()) from broken
        except httpx.HTTPError as error:
            failure = Failure("broken", True, str(error), headers=response.headers)
            raise _Failed(failure, parser.salvage()) from error
        finally:
            parser.abort()

    async def _feed(self, parser: AnswerReader, chunk: bytes) -> None:
        """Hands large chunks to a worker: decoding, hashing and a slow disk would keep the loop from the network."""
        if len(chunk) < _SMALL_CHUNK:
            parser.feed(chunk)
        else:
            await self._channel.workers.call(parser.feed, chunk)
        while parser.partials:
            self._on_partial(parser.partials.pop(0))


async def _refusal(response: httpx.Response) -> Failure:
    """What the vendor says with a status that is no success; its body is read as far as it is of use."""
    body = b""
    with contextlib.suppress(httpx.HTTPError):  # the status alone decides when the body is lost
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _ERROR_BODY_LIMIT:
                break
    return Failure("status", status=response.status_code, headers=response.headers, vendor=read_error(body))


def _final(error: ServiceError, attempts: int, charged: bool, images: Sequence[Image]) -> ServiceError:
    error.attempts = attempts
    error.charge_possible = error.charge_possible or charged
    if images:
        error.details["images"] = list(images)
    return error
