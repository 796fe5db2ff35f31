"""One request and its answer: sent again only where that is safe, redirects followed with care."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx

from flowdsl.errors import ServiceError
from flowdsl_steps.http.answer_body import TooLarge, read_body
from flowdsl_steps.http.failure import (
    broken,
    no_connection,
    not_followed,
    refused_address,
    too_large,
    too_late,
    unsuccessful,
)
from flowdsl_steps.http.pause import delay_s
from flowdsl_steps.http.public_network import is_private_host, refusal
from flowdsl_steps.http.transport import Delivery, environment_proxy

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that a second request of does no more than the first. Source: RFC 9110, 9.2.2."""
MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_EXCERPT_BYTES = 8 * 1024
_OPEN_HEADERS = ("accept", "accept-encoding", "user-agent")


class Request(NamedTuple):
    """What is sent; header names are in lower case, values as bytes."""

    method: str
    url: str
    headers: Mapping[str, bytes]
    content: bytes = b""

    @property
    def host(self) -> str:
        """Host and port of the address."""
        return urlsplit(self.url).netloc

    @property
    def shown(self) -> str:
        """Method and address for messages: without the query, which may hold a key."""
        parts = urlsplit(self.url)
        return f"{self.method} {parts.scheme}://{parts.netloc}{parts.path}"

    def described(self) -> dict[str, Any]:
        """The request as JSON values: of its header names and its body only what tells requests apart, no secret."""
        digest = hashlib.sha256(self.content).hexdigest() if self.content else None
        return {"method": self.method, "url": self.shown, "headers": sorted(self.headers), "bodySha256": digest}

    @property
    def repeatable(self) -> bool:
        """Whether a second request of the same does no more than the first."""
        return self.method in REPEATABLE


class Terms(NamedTuple):
    """Under which terms a request is made: deadline of one attempt, resends, the most bytes of the answer, and whether
    it may reach private addresses."""

    timeout_s: float
    max_retries: int
    max_bytes: int
    allow_private: bool


class Answer(NamedTuple):
    """A successful answer; `url` is where it came from in the end."""

    status: int
    headers: httpx.Headers
    content: bytes
    url: str


class _Redirect(NamedTuple):
    """Where an answer sends us instead."""

    status: int
    url: str


class _Again(Exception):
    """An attempt that failed before any work was done: `headers` may say when to come back."""

    def __init__(self, error: ServiceError, headers: Mapping[str, str]) -> None:
        super().__init__(error.message)
        self.error = error
        self.headers = headers


async def exchange(
    client: httpx.AsyncClient, request: Request, terms: Terms, on_retry: Callable[[ServiceError, float], None]
) -> Answer:
    """The answer to a request. `on_retry` is told before each pause.

    Raises:
        StepError: the address is private, the answer too large.
        ServiceError: there is no successful answer.
    """
    attempts = 0
    while True:
        attempts += 1
        try:
            return await _attempt(client, request, terms)
        except _Again as failed:
            pause = delay_s(attempts - 1, failed.headers) if attempts <= terms.max_retries else None
            if pause is None:
                failed.error.attempts = attempts
                raise failed.error from None
            on_retry(failed.error, pause)
        except ServiceError as error:
            error.attempts = attempts
            raise
        await asyncio.sleep(pause)


async def _attempt(client: httpx.AsyncClient, request: Request, terms: Terms) -> Answer:
    delivery = Delivery()
    try:
        async with asyncio.timeout(terms.timeout_s):
            return await _followed(client, request, terms, delivery)
    except TimeoutError:
        error = too_late(request, delivery.sent, terms.timeout_s)
        if delivery.sent:
            raise error from None
        raise _Again(error, {}) from None
    except (httpx.InvalidURL, httpx.RemoteProtocolError):  # httpx reads a `location` even where it does not follow it
        raise not_followed(request, None, "to something that is not a web address") from None
    except httpx.DecodingError as error:
        raise broken(request, str(error)) from None
    except httpx.HTTPError as error:
        if "private address" in str(error):
            raise refused_address(request, str(error)) from None
        if delivery.sent:
            raise broken(request, str(error) or type(error).__name__) from None
        raise _Again(no_connection(request, str(error) or type(error).__name__), {}) from None


async def _followed(client: httpx.AsyncClient, request: Request, terms: Terms, delivery: Delivery) -> Answer:
    """The answer at the end of the redirects."""
    for _ in range(MAX_REDIRECTS + 1):
        await _refuse_private(request, terms.allow_private)
        found = await _sent(client, request, terms, delivery)
        if isinstance(found, Answer):
            return found
        request = _redirected(request, found)
    raise not_followed(request, found.status, f"after {MAX_REDIRECTS} redirects already")


async def _refuse_private(request: Request, allow_private: bool) -> None:
    """Raises StepError when the address leads inside, as far as that shows before the connection."""
    reason = refusal(request.url, allow_private)
    if reason is None and not allow_private:
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        # A proxy resolves names by itself, so its view cannot be judged; this machine's can.
        if environment_proxy(parts.scheme, host) is not None and await is_private_host(host):
            reason = f"{host} leads to a private address"
    if reason is not None:
        raise refused_address(request, reason)


async def _sent(client: httpx.AsyncClient, request: Request, terms: Terms, delivery: Delivery) -> Answer | _Redirect:
    """The answer, or where it redirects to."""
    async with client.stream(
        request.method,
        request.url,
        headers=[(name.encode("ascii"), value) for name, value in request.headers.items()],
        content=request.content or None,
        extensions={"delivery": delivery},
    ) as response:
        status = response.status_code
        if response.is_success:
            try:
                content = await read_body(response, terms.max_bytes)
            except TooLarge:
                raise too_large(request, terms.max_bytes) from None
            return Answer(status, response.headers, content, request.url)
        if status in _REDIRECTS and "location" in response.headers:
            return _Redirect(status, _joined(request.url, response.headers["location"]))
        error = unsuccessful(request, status, await _excerpt(response))
        if status in (429, 503) and request.repeatable:
            raise _Again(error, response.headers)
        raise error


def _redirected(request: Request, found: _Redirect) -> Request:
    """The request that a redirect asks for.

    Raises:
        ServiceError: it is not followed: no web address, a request that may change something, or out of https.
    """
    if not found.url:
        raise not_followed(request, None, "to something that is not a web address")
    if request.method not in ("GET", "HEAD"):
        raise not_followed(request, found.status, f"to {_bare(found.url)}, which only GET and HEAD follow")
    before, after = urlsplit(request.url), urlsplit(found.url)
    if before.scheme == "https" and after.scheme != "https":
        raise not_followed(request, found.status, f"out of https, to {_bare(found.url)}")
    if (before.scheme, before.netloc) == (after.scheme, after.netloc):
        return request._replace(url=found.url)
    # What the author sends to one host, keys included, is not for another.
    kept = {name: value for name, value in request.headers.items() if name in _OPEN_HEADERS}
    return request._replace(url=found.url, headers=kept)


def _joined(url: str, location: str) -> str:
    """The web address that a `location` names, without a fragment; empty when it names none."""
    try:
        target = urljoin(url, location.strip()).partition("#")[0]
        parts = urlsplit(target)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        return str(httpx.URL(target)) if known else ""
    except (ValueError, httpx.InvalidURL):
        return ""


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def _excerpt(response: httpx.Response) -> bytes:
    """The beginning of the body of an answer that is no success."""
    body = b""
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _EXCERPT_BYTES:
                break
    except httpx.HTTPError:
        return b""  # the status alone says what happened
    return b"" if response.headers.get("content-encoding", "identity") != "identity" else body[:_EXCERPT_BYTES]
