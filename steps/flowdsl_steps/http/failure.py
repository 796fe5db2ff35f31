"""What to say about a request that did not succeed."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from flowdsl.errors import (
    ServiceError,
    ServiceRateLimited,
    ServiceRefused,
    ServiceTimeout,
    ServiceUnavailable,
    StepError,
)
from flowdsl.secrets.plain import REVEALING
from flowdsl_steps.http.excerpt import harmless
from flowdsl_steps.http.request import HttpRequest

_EXCERPT_LENGTH = 200
_DONE = frozenset({300, 301, 302, 303})
"""With these a server may say where the result of a request is: only 307 and 308 say that it was not carried out."""
_PLAIN_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})


def no_connection(request: HttpRequest, reason: str) -> ServiceError:
    """No connection came about, so nothing was sent."""
    return ServiceUnavailable(
        f"{request.shown} got no connection: {reason}",
        service=request.host,
        hint="check `url`, the network and the proxy",
        retryable=True,
    )


def too_late(request: HttpRequest, sent: bool, deadline_s: float) -> ServiceError:
    """The deadline of an attempt passed."""
    what = "got no response" if sent else "got no connection"
    return ServiceTimeout(
        f"{request.shown} {what} within {deadline_s:g} s",
        service=request.host,
        hint="raise `timeoutMs`" if sent else "check `url`, the network and the proxy",
        retryable=request.repeatable or not sent,
        charge_possible=sent and not request.repeatable,
    )


def broken(request: HttpRequest, reason: str) -> ServiceError:
    """The connection broke, or the body is not what its headers say."""
    return ServiceUnavailable(
        f"the response to {request.shown} is not complete: {reason}",
        service=request.host,
        retryable=request.repeatable,
        charge_possible=not request.repeatable,
    )


def refused_address(request: HttpRequest, reason: str) -> StepError:
    """The address leads into the network behind this machine."""
    return StepError(
        f"{request.shown} is not sent: {reason}",
        code="private-address",
        hint="`--private-addresses`, or the host's Limits(private_addresses=True), allows it",
    )


def not_followed(request: HttpRequest, status: int | None, reason: str) -> ServiceError:
    """The response is a redirect that is not followed."""
    return ServiceRefused(
        f"{request.shown} redirects{'' if status is None else f' (status {status})'} {reason}",
        service=request.host,
        status=status,
        code="redirect-refused",
        hint="set `url` to the final address",
        charge_possible=status in _DONE and not request.repeatable,
    )


def too_large(request: HttpRequest, limit: int) -> StepError:
    """The response has more bytes than it may have."""
    error = StepError(
        f"the response to {request.shown} has more than {limit:,} bytes",
        code="response-too-large",
        hint="raise `maxBytes`",
    )
    error.charge_possible = not request.repeatable
    return error


def unsuccessful(request: HttpRequest, status: int, body: bytes, *, asks_to_wait: bool) -> ServiceError:
    """The error of a status that is no success, with the beginning of what the server says about it.

    A 5xx may be a gateway's word, and the service behind it may have done the work: what is known to be refused is a
    429, and a 503 that `asks_to_wait` and come again.
    """
    said = harmless(body.decode("utf-8", "replace"), secrets_of(request), _EXCERPT_LENGTH)
    kind: type[ServiceError] = ServiceRefused
    if status == 429:
        kind = ServiceRateLimited
    elif status in (408, 504):
        kind = ServiceTimeout
    elif status >= 500:
        kind = ServiceUnavailable
    is_refused = status == 429 or (status == 503 and asks_to_wait)
    unknown = (status >= 500 or status == 408 or status in _DONE) and not is_refused
    return kind(
        f"{request.shown} got {_named(status)}{f': {said}' if said else ''}",
        service=request.host,
        status=status,
        hint="check the key in `headers`" if status in (401, 403) else None,
        retryable=is_refused or (unknown and status not in _DONE and request.repeatable),
        charge_possible=unknown and not request.repeatable,
    )


def secrets_of(request: HttpRequest) -> list[str]:
    """What no message may repeat: the words of the headers that may be keys, and the values of the query."""
    words = [
        word
        for name, value in request.headers.items()
        if name not in _PLAIN_HEADERS
        for word in (value if isinstance(value, str) else value.decode("latin-1")).split()
    ]
    words += [value for _, value in parse_qsl(urlsplit(request.url).query)]
    return sorted((word for word in words if len(word) >= REVEALING), key=len, reverse=True)


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
