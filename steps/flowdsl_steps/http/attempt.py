"""One attempt at a request, and when to make another: the kernel under every step that sends something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeVar

import httpx

from flowdsl.errors import ConfigError, ServiceError
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.deadline import deadline
from flowdsl_steps.http.multipart import UnreadPart
from flowdsl_steps.http.pause import delay_s, said_of_delay

T = TypeVar("T")
OnRetry = Callable[[ServiceError, float], None]
LostKind = Literal["timeout", "connect", "broken", "proxy"]


class Lost(Exception):
    """An attempt without a response: `timeout`, `connect` (nothing had left), `broken` (something may have) or `proxy`
    (one took the request, and responded itself).

    `sent` says whether anything had been sent, which decides what may have happened at the other end. Its cause is the
    error of httpx.
    """

    def __init__(self, kind: LostKind, sent: bool, reason: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.sent = sent
        self.reason = reason


class Again(Exception):
    """An attempt that failed with `error` and may be made again; `headers` may say when."""

    def __init__(self, error: ServiceError, headers: Mapping[str, str]) -> None:
        super().__init__(error.message)
        self.error = error
        self.headers = headers


async def attempted(work: Callable[[Delivery], Awaitable[T]], timeout_s: float) -> T:
    """What one attempt gives within its deadline.

    Raises:
        Lost: it came to no response.
        ConfigError: it cannot be written as HTTP, so nothing was sent.
    """
    delivery = Delivery()
    try:
        async with deadline(timeout_s):
            return await work(delivery)
    except TimeoutError:
        raise Lost("timeout", delivery.sent) from None
    except UnreadPart as error:
        raise Lost("broken", delivery.sent, str(error)) from error
    except httpx.HTTPError as error:
        if isinstance(error, httpx.LocalProtocolError) and not delivery.sent:
            raise ConfigError(
                f"the request cannot be sent: {error}", code="invalid-header", hint="check the key and the headers"
            ) from None
        kind: LostKind = "connect"
        if delivery.sent:
            kind = "proxy" if isinstance(error, httpx.ProxyError) else "broken"
        raise Lost(kind, delivery.sent, str(error) or type(error).__name__) from error


async def repeated(work: Callable[[], Awaitable[T]], max_retries: int, on_retry: OnRetry) -> T:
    """What `work` gives, made again while it raises `Again`. `on_retry` is called before each pause.

    Raises:
        ServiceError: the last failure.
    """
    retries = 0
    while True:
        try:
            return await work()
        except Again as failed:
            pause = delay_s(retries, failed.headers) if retries < max_retries else None
            if pause is None:
                raise _with_delay(failed.error, said_of_delay(failed.headers)) from failed.__cause__
            on_retry(failed.error, pause)
        retries += 1
        await asyncio.sleep(pause)


def _with_delay(error: ServiceError, said: str | None) -> ServiceError:
    """Names in the hint for how long a server wants to be left alone, where that is too long to wait for here."""
    if said is not None:
        error.hint = f"{said}, which is longer than is waited for{f'; {error.hint}' if error.hint else ''}"
    return error
