"""One paid request: sent, waited for, read, and sent again only where that cannot be paid for twice.

What is unknown, and why it is not sent again, stands at the top of `retry`, where it is decided. What a vendor says is
read by its `Vendor`; no vendor is known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import httpx

from flowdsl import Pace, Sending
from flowdsl.errors import ConfigError, RunError, ServiceError, StepError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl.step.service import Service, address_of
from flowdsl_steps.http.attempt import Again, Lost, OnRetry, attempted, repeated
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.multipart import UnreadPart
from flowdsl_steps.http.pause import asked_pause_s, delay_s
from flowdsl_steps.http.request import HttpRequest, merged
from flowdsl_steps.http.response_body import REFUSAL_TIMEOUT_S, Unpacker
from flowdsl_steps.http.transport import exchanged
from flowdsl_steps.image.carrier import carried
from flowdsl_steps.image.connection import Connection
from flowdsl_steps.image.kept_order import earlier_order, forget_order, is_gone, keep_order
from flowdsl_steps.image.paced import Paced
from flowdsl_steps.image.received import BrokenResponse, Finished, LinkedImage, Partial, Received
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.response import ResponseReader
from flowdsl_steps.image.retry import (
    FailedAttempt,
    Order,
    Verdict,
    classify,
    empty,
    pause_headers,
    request_id,
    short_id,
)
from flowdsl_steps.image.vendor import Endpoint, Head, Poll, Vendor, is_host_of

_ERROR_BODY_LIMIT = 64 * 1024
_SMALL_CHUNK = 32 * 1024
_SHORTEST_PAUSE_S = 0.01
_MOST = 4
"""So often a question for an order is given a response that is of no use."""
_ASK_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""With these a vendor does not say what became of an order: the question for it is asked again."""
ADDED_HEADERS: ContextVar[Mapping[str, str]] = ContextVar("added headers", default=MappingProxyType({}))
"""Headers that whoever performs the effect of a request adds to it: a rehearsal says which step it is of."""
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "flowdsl"}


class RequestPolicy(NamedTuple):
    """How a request is made: deadline of one attempt, resends, and the most bytes it may bring."""

    timeout_s: float
    max_retries: int
    resend_unknown: bool
    image_bytes: int
    response_bytes: int


class Response(NamedTuple):
    """What a request brought, how often it was sent, and whether an attempt may have been billed for nothing."""

    received: Received
    attempts: int
    request_id: str | None
    charged_before: bool


class _Failed(Exception):
    """An attempt that failed, with the pictures that came nevertheless."""

    def __init__(self, failure: FailedAttempt, images: Sequence[Image | LinkedImage] = ()) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.images = tuple(images)


class Sender:
    """Makes the requests of one step: the same endpoint and policy for all of them.

    `on_retry` is called before each pause, `on_partial` for each picture of a stream as it comes, `on_order` when the
    vendor has taken an order; the addresses that responses came from are added to `peers`.
    """

    def __init__(
        self,
        vendor: Vendor,
        connection: Connection,
        endpoint: Endpoint,
        store: ImageStore,
        policy: RequestPolicy,
        on_retry: OnRetry,
        on_partial: Callable[[Partial | Finished], None],
        on_order: Callable[[Order], None],
        peers: set[str],
        pace: Pace | None = None,
    ) -> None:
        self._vendor = vendor
        self._connection = connection
        self._endpoint = endpoint
        self._store = store
        self._policy = policy
        self._on_retry = on_retry
        self._on_partial = on_partial
        self._on_order = on_order
        self._peers = peers
        self._paced = None if pace is None else Paced(pace, endpoint)
        self._delivery = Delivery()
        self.order: Order | None = None
        """What the vendor has taken and not delivered yet."""

    def described(self, request: ImageRequest) -> dict[str, Any]:
        """Who is asked for what, as JSON can hold it, without a key."""
        endpoint = self._endpoint
        where = {"vendor": self._vendor.name, "service": endpoint.service, "url": endpoint.shown_url}
        return {**where, "model": endpoint.label, "request": request.described()}

    def purchase(self, request: ImageRequest, service: Service) -> str:
        """A digest of all that reaches the vendor: equal for requests that would buy the same, for the same account.

        What a vendor makes anew for each attempt, such as the border of a multipart body, tells no requests apart; then
        the options of the request do.
        """
        endpoint = self._endpoint
        first, second = (self.encoded(request) for _ in range(2))
        is_same = isinstance(first.content, bytes) and first.content == second.content
        sent = {
            "to": (self._vendor.name, first.method, first.url, endpoint.label),
            "headers": sorted(
                {name.lower(): value for name, value in {**first.headers, **endpoint.headers}.items()}.items()
            ),
            "tls": (service.get("caPem"), service.get("clientPem")),
            "signed": None if endpoint.sign is None else (service.name, endpoint.secrets),
            "body": first.content if is_same else request.described(),
        }
        return hashlib.sha256(json.dumps(sent, sort_keys=True, default=repr).encode()).hexdigest()

    def encoded(self, request: ImageRequest) -> HttpRequest:
        """The HTTP request, of pictures that are as the step found them.

        Raises:
            ConfigError: one of them has changed, or is gone. This request is not sent.
        """
        for image in (*request.images, *((request.mask,) if request.mask is not None else ())):
            if image.bytes and os.path.isfile(image.original) and os.path.getsize(image.original) != image.bytes:  # noqa: PTH113, PTH202
                raise ConfigError(
                    f"the picture to edit {os.path.basename(image.path)} has changed since the run stored it",  # noqa: PTH119
                    code="image-unreadable",
                    hint="leave the pictures of a run alone until it has ended",
                )
        try:
            return self._vendor.encode(request, self._endpoint)
        except StepError as error:  # of a picture that is gone
            raise ConfigError(error.message, code=error.code, hint=error.hint) from error

    async def perform(self, request: ImageRequest, came: list[Image | LinkedImage], sending: Sending) -> Response:
        """The response to a request, resent while that is safe and allowed. Whatever is paid for is paid for here.

        `came` takes the pictures, and the addresses of some, that attempts brought which failed nevertheless.

        Raises:
            ServiceError: the last failure; `attempts` says how often the request was sent.
        """
        way = self._store, self._policy.image_bytes, self._connection.open_another
        if (found := await carried(request, self._vendor, self._endpoint, *way)) is not None:
            return Response(found, 1, found.request_id and short_id(found.request_id, self._endpoint), False)
        attempts, charged = 0, False

        async def attempt() -> Received:
            nonlocal attempts, charged
            attempts += 1
            before = len(came)
            try:
                async with self._connection.turn(request.n, self._paced, sending.begins):
                    return await self._attempt(request, came)
            except _Failed as failed:
                verdict = classify(failed.failure, self._endpoint)
                if self._paced is not None:
                    self._paced.refused(failed.failure.status, pause_headers(failed.failure))
                came.extend(failed.images)
                if len(came) > before:
                    verdict.error.charge_possible = True
                charged = charged or verdict.error.charge_possible
                if self._may_be_resent(verdict):
                    raise Again(verdict.error, pause_headers(failed.failure)) from failed
                raise verdict.error from failed
            except BaseException as error:  # a cancellation, for one, while it was connected
                if not (charged or self._delivery.sent or isinstance(error, RunError)):
                    sending.refused()
                raise

        def pausing(error: ServiceError, pause_s: float) -> None:
            if not charged:
                sending.refused()
            self._on_retry(error, pause_s)

        try:
            received = await repeated(attempt, self._policy.max_retries, pausing)
        except RunError as error:
            if isinstance(error, ServiceError):
                error.attempts = attempts
            error.charge_possible = error.charge_possible or charged
            raise
        named = received.request_id or request_id(received.headers)
        return Response(received, attempts, named and short_id(named, self._endpoint), charged)

    def _may_be_resent(self, verdict: Verdict) -> bool:
        """Whether that is safe: what has brought pictures, or may be billed, is not asked for twice by itself."""
        is_free = verdict.retry_class == "retry" and not verdict.error.charge_possible
        return is_free or (verdict.retry_class != "never" and self._policy.resend_unknown)

    async def _attempt(self, request: ImageRequest, came: list[Image | LinkedImage]) -> Received:
        limit_s = self._policy.timeout_s
        self.order = None
        try:
            return await attempted(lambda delivery: self._order(request, delivery, came), limit_s)
        except Lost as lost:
            failure = FailedAttempt(lost.kind, lost.sent, lost.reason, deadline_s=limit_s, order=self.order)
            is_unread = isinstance(lost.__cause__, UnreadPart)
            raise _Failed(failure._replace(reason="unread" if is_unread else "")) from lost
        except _Failed as failed:
            if self.order is not None and is_gone(failed.failure):
                await forget_order()
            raise _Failed(failed.failure._replace(order=self.order), failed.images) from failed

    async def _order(self, request: ImageRequest, delivery: Delivery, came: list[Image | LinkedImage]) -> Received:
        """What an order brings: at once, or after asking for it at a vendor that makes pictures later.

        `came` takes the pictures that are complete when something breaks it off.
        """
        self._delivery = delivery
        known = await earlier_order(self._vendor, self._endpoint)
        received = known or await self._response(self.encoded(request), delivery, came)
        try:
            while (poll := self._vendor.next(received, self._endpoint)) is not None:
                before = self.order
                self.order = Order(poll.request.url, received.request_id or (before and before.id))
                if before is None:
                    self._on_order(self.order)
                    await keep_order(received, self._endpoint)
                kept = poll.kept or Received()
                try:
                    poll = poll._replace(after_s=max(poll.after_s, asked_pause_s(received.headers)))
                    received = kept.followed_by(await self._asked(poll, self.order, came))
                    if poll.is_made and len(received.images) == len(kept.images):
                        raise _Failed(empty(received.headers))
                except BaseException:
                    came += kept.images
                    raise
        except ConfigError as error:
            error.charge_possible = True  # the order was taken
            raise
        if not received.images:
            raise _Failed(empty(received.headers))
        self.order = None
        return received

    async def _asked(self, poll: Poll, order: Order, came: list[Image | LinkedImage]) -> Received:
        """The response to a question for an order. It costs nothing, so it is asked again until the deadline; what is
        no response of the vendor's, such as a page of a gateway, only a few times."""
        if not self._is_trusted(poll.request.url):
            message = "the response asks to fetch the picture from another host, or from no address"
            raise _Failed(FailedAttempt("response", True, message, reason="malformed"))
        pause_s, retries, useless = poll.after_s, 0, 0
        while True:
            await asyncio.sleep(max(pause_s, _SHORTEST_PAUSE_S))
            headers: Mapping[str, str] = {}
            try:
                received = await self._response(poll.request, Delivery(), came)
            except _Failed as failed:
                failure = failed.failure
                headers, vendor = failure.headers, failure.vendor
                is_final = vendor is not None and (
                    vendor.kind is not None or vendor.retry_class in ("never", "unknown")
                )
                is_useless = failure.kind == "response" and vendor is None
                useless += is_useless
                is_busy = vendor is not None and vendor.retry_class == "retry" and not failed.images
                is_gone = failure.kind != "broken" and failure.status not in _ASK_AGAIN and not is_busy
                may_pass = not is_gone or (is_useless and useless < _MOST)
                if is_final or not may_pass:
                    raise
            except httpx.TransportError:
                pass  # nobody knows where the response went, and asking again shows it
            else:
                if order.id is not None and received.request_id not in (None, order.id):
                    message = "the response is to another order"
                    failure = FailedAttempt("response", True, message, None, received.headers, reason="malformed")
                    raise _Failed(failure, received.images)
                return received
            asked_s = delay_s(retries, headers)
            if asked_s is None:  # longer than anybody waits here: it may be there before nevertheless
                asked_s = delay_s(retries, {}) or 0.0
            pause_s, retries = max(poll.after_s, asked_s), retries + 1

    def _is_trusted(self, url: str) -> bool:
        """Whether the key may go to an address that a response names: the endpoint's host, or the vendor's own. One
        with a part that leads upwards was not meant by whoever put the name of an order into it."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
            httpx.URL(url)  # which reads some as none
        except (ValueError, httpx.InvalidURL):
            return False
        if not {unquote(part) for part in parts.path.split("/")}.isdisjoint((".", "..")):
            return False
        if address_of(url) == address_of(self._endpoint.url):
            return True
        is_known = host == self._endpoint.host_name or is_host_of(self._vendor, host)
        return is_known and address_of(url) == f"https://{host}:443"

    async def _response(self, http: HttpRequest, delivery: Delivery, came: list[Image | LinkedImage]) -> Received:
        http = http._replace(headers=merged(_HEADERS, ADDED_HEADERS.get(), http.headers, self._endpoint.headers))
        if self._endpoint.sign is not None:
            signed = await self._endpoint.sign(http)
            http = http._replace(headers=merged(http.headers, signed))
            self._endpoint = self._endpoint.knowing(signed)
        async with exchanged(self._connection.client, http, delivery) as response:
            head = Head(response.status_code, response.headers)
            if peer := response.extensions.get("peer"):
                self._peers.add(peer)
            if self._paced is not None and http.method == "POST":  # a question for an order has limits of its own
                self._paced.heard(response.headers)
            if not response.is_success:
                raise _Failed(await self._refusal(response, head))
            return await self._read(response, head, came)

    async def _read(self, response: httpx.Response, head: Head, came: list[Image | LinkedImage]) -> Received:
        reader = self._vendor.decode(head, self._store, self._policy.image_bytes)
        size, limit = 0, self._policy.response_bytes
        try:
            unpacker = Unpacker(response)
            async for chunk in response.aiter_raw():
                for piece in unpacker.feed(chunk):
                    size += len(piece)
                    if size > limit:
                        raise BrokenResponse("too-large", f"it is larger than the limit of {limit} bytes")
                    await self._feed(reader, piece)
            unpacker.finish()
            return reader.finish()._replace(headers=response.headers)
        except BrokenResponse as broken:
            if broken.error is not None:
                came += broken.images or reader.salvage()
                raise broken.error from broken.error.__cause__
            vendor = self._vendor.failure(head, broken.payload) if broken.payload is not None else None
            failure = FailedAttempt("response", True, str(broken), None, response.headers, vendor, broken.reason)
            raise _Failed(failure, broken.images or reader.salvage()) from broken
        except httpx.DecodingError as error:
            failure = FailedAttempt("response", True, str(error), headers=response.headers, reason="malformed")
            raise _Failed(failure, reader.salvage()) from error
        except httpx.HTTPError as error:
            failure = FailedAttempt("broken", True, str(error), headers=response.headers)
            raise _Failed(failure, reader.salvage()) from error
        except BaseException:  # a deadline, or a disk that takes no more: what came whole before is not lost
            came += reader.rescue()
            raise
        finally:
            reader.abort()

    async def _feed(self, reader: ResponseReader, chunk: bytes) -> None:
        """Hands large chunks to a worker: decoding, hashing and a slow disk would keep the loop from the network."""
        try:
            if len(chunk) < _SMALL_CHUNK:
                reader.feed(chunk)
            else:
                await self._connection.workers.call(reader.feed, chunk)
        finally:
            while reader.partials:  # also those that stand before what is broken
                self._on_partial(reader.partials.pop(0))

    async def _refusal(self, response: httpx.Response, head: Head) -> FailedAttempt:
        """What the vendor says with a status that is no success; its body is read as far as it is of use."""
        body = b""
        with contextlib.suppress(httpx.HTTPError, TimeoutError):  # the status alone decides when the body is lost
            async with asyncio.timeout(min(REFUSAL_TIMEOUT_S, self._policy.timeout_s / 2)):
                unpacker = Unpacker(response)
                async for chunk in response.aiter_raw():
                    for piece in unpacker.feed(chunk):
                        body += piece
                        if len(body) > _ERROR_BODY_LIMIT:
                            break
                    if len(body) > _ERROR_BODY_LIMIT:
                        break
        vendor = self._vendor.failure(head, body)
        return FailedAttempt("status", status=head.status, headers=response.headers, vendor=vendor)
