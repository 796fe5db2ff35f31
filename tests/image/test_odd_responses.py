"""Responses that are not what HTTP says: none of their bytes come out as another request's response."""

from __future__ import annotations

import asyncio

import pytest

from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.http.transport import exchanged, open_client
from tests.web_server import Web, response

STRAY = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nSTRAY"
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "odd",
    [
        HEAD + CHUNKS + STRAY,
        HEAD + CHUNKS + b"H",
        HEAD + b"content-length: 2\r\n\r\nab" + STRAY,
        HEAD + b"content-length: 3\r\n" + CHUNKS,
        HEAD + b"connection: close\r\ncontent-length: 2\r\n\r\nab",
    ],
    ids=["bytes behind chunks", "one byte behind chunks", "bytes behind a length", "two lengths", "close"],
)
def test_a_connection_is_not_used_again_after_an_odd_response(odd: bytes) -> None:
    async def both(web: Web) -> list[tuple[bytes, int]]:
        found = []
        async with open_client() as client:
            for _ in range(2):
                async with exchanged(client, HttpRequest("GET", web.url), Delivery()) as came:
                    body = b"".join([chunk async for chunk in came.aiter_raw()])
                idle = [each for route in client._transport._routes.values() for each in route.idle]
                found.append((body, len(idle)))
        return found

    with Web(odd, response(b"second")) as web:
        first, second = asyncio.run(both(web))
    assert first == (b"ab", 0)
    assert second[0] == b"second"
