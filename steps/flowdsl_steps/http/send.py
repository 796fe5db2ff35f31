"""One request and its response: sent again only where that is safe, redirects followed with care."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import httpx

from flowdsl.errors import ServiceError
from flowdsl.step.service import address_of
from flowdsl_steps.http.attempt import Again, Lost, OnRetry, attempted, repeated
from flowdsl_steps.http.connect import RefusedAddress
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.failure import (
    broken,
    no_connection,
    not_followed,
    refused_address,
    too_large,
    too_late,
    unsuccessful,
)
from flowdsl_steps.http.public_network import refused
from flowdsl_steps.http.redirect import MAX_REDIRECTS, leaves_https, next_address
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.http.response_body import REFUSAL_TIMEOUT_S, TooLarge, read_body
from flowdsl_steps.http.transport import Client, exchanged

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_EXCERPT_BYTES = 8 * 1024
_NO_ADDRESS = "to something that is not a web address"
_OPEN_HEADERS = ("accept", "accept-encoding", "user-agent")


class RequestPolicy(NamedTuple):
    """How a request is made: deadline of an attempt, resends, limit of the response, whether to private addresses."""

    timeout_s: float
    max_retries: int
    max_bytes: int
    allow_private: bool


class HttpResponse(NamedTuple):
    """A successful response; `url` is where it came from in the end."""

    status: int
    headers: httpx.Headers
    content: bytes
    url: str


class _Redirect(NamedTuple):
    """Where a response sends us instead."""

    status: int
    url: str


async def send(
    client: Client,
    request: HttpRequest,
    policy: RequestPolicy,
    on_retry: OnRetry,
    deliveries: list[Delivery],
) -> HttpResponse:
    """The response to a request. `on_retry` is called before each pause; `deliveries` takes how far each attempt comes.

    Raises:
        StepError: the address is private, the response too large.
        ServiceError: there is no successful response.
    """
    attempts = 0

    async def attempt() -> HttpResponse:
        nonlocal attempts
        attempts += 1
        return await _attempt(client, request, policy, deliveries)

    try:
        return await repeated(attempt, policy.max_retries, on_retry)
    except ServiceError as error:
        error.attempts = attempts
        raise


async def _attempt(
    client: Client, request: HttpRequest, policy: RequestPolicy, deliveries: list[Delivery]
) -> HttpResponse:
    def work(delivery: Delivery) -> Awaitable[HttpResponse]:
        deliveries.append(delivery)
        return _followed(client, request, policy, delivery)

    try:
        return await attempted(work, policy.timeout_s)
    except Lost as lost:
        raise _lost(request, policy, lost) from None


def _lost(request: HttpRequest, policy: RequestPolicy, lost: Lost) -> Exception:
    """The error for an attempt without a response; `Again` where nothing had been sent."""
    if lost.kind == "timeout":
        error = too_late(request, lost.sent, policy.timeout_s)
        return error if lost.sent else Again(error, {})
    if isinstance(lost.__cause__, httpx.DecodingError):
        return broken(request, lost.reason)
    if isinstance(lost.__cause__, RefusedAddress):
        return refused_address(request, lost.reason)
    return broken(request, lost.reason) if lost.sent else Again(no_connection(request, lost.reason), {})


async def _followed(client: Client, request: HttpRequest, policy: RequestPolicy, delivery: Delivery) -> HttpResponse:
    """The response at the end of the redirects."""
    for _ in range(MAX_REDIRECTS + 1):
        if (reason := await refused(request.url, policy.allow_private)) is not None:
            raise refused_address(request, reason)
        found = await _sent(client, request, policy, delivery)
        if isinstance(found, HttpResponse):
            return found
        request = _redirected(request, found)
    raise not_followed(request, found.status, f"after {MAX_REDIRECTS} redirects already")


async def _sent(
    client: Client, request: HttpRequest, policy: RequestPolicy, delivery: Delivery
) -> HttpResponse | _Redirect:
    """The response, or where it redirects to."""
    async with exchanged(client, request, delivery) as response:
        status = response.status_code
        if response.is_success:
            try:
                content = await read_body(response, policy.max_bytes)
            except TooLarge:
                raise too_large(request, policy.max_bytes) from None
            return HttpResponse(status, response.headers, content, _without_login(request.url))
        if status in _REDIRECTS and "location" in response.headers:
            return _Redirect(status, next_address(request.url, response.headers["location"]))
        asks_to_wait = "retry-after" in response.headers
        error = unsuccessful(request, status, await _excerpt(response, policy.timeout_s), asks_to_wait=asks_to_wait)
        if status in (429, 503) and request.repeatable:
            raise Again(error, response.headers)
        raise error


def _redirected(request: HttpRequest, found: _Redirect) -> HttpRequest:
    """The request that a redirect asks for.

    Raises:
        ServiceError: it is not followed: no web address, a request that may change something, or out of https.
    """
    if request.method not in ("GET", "HEAD"):
        where = f"to {_bare(found.url)}" if found.url else _NO_ADDRESS
        raise not_followed(request, found.status, f"{where}, which only GET and HEAD follow")
    if not found.url:
        raise not_followed(request, None, _NO_ADDRESS)
    if leaves_https(request.url, found.url):
        raise not_followed(request, found.status, f"out of https, to {_bare(found.url)}")
    if address_of(request.url) == address_of(found.url) and "@" not in urlsplit(found.url).netloc:
        return request._replace(url=found.url)
    # What the author sends to one host, keys and body included, is not for another, nor beside a login of the server's.
    kept = {name: value for name, value in request.headers.items() if name in _OPEN_HEADERS}
    return request._replace(url=found.url, headers=kept, content=b"")


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def _excerpt(response: httpx.Response, timeout_s: float) -> bytes:
    """The beginning of the body of a response that is no success."""
    body = b""
    try:
        async with asyncio.timeout(min(REFUSAL_TIMEOUT_S, timeout_s / 2)):
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _EXCERPT_BYTES:
                    break
    except (httpx.HTTPError, TimeoutError):
        return b""  # the status alone says what happened
    return b"" if response.headers.get("content-encoding", "identity") != "identity" else body[:_EXCERPT_BYTES]
