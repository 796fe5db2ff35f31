"""Responses that do not end, or end where they should not: the deadline ends them, in bounded memory."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
import ssl
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from image_bench import Bench
from test_proxies import certificate, server_tls

from flowdsl.errors import ServiceError
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.http.transport import exchanged, open_client

__all__ = ["certificate"]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = JSON + b"transfer-encoding: chunked\r\n\r\n"
BARE = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"
BOUND = 40 * 1024 * 1024


@contextlib.asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that does what `talk` does with each connection."""
    running: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def flooding(first: bytes, again: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0)

    return talk


@pytest.mark.long
@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500), "service-timeout"),
        (flooding(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n" * 200), "service-timeout"),
        (flooding(SSE, b"2\r\n\n\n\r\n" * 500), "service-timeout"),
        (flooding(SSE, b"1;" + b"x" * 9 + b"\r\n:\r\n"), "service-timeout"),
        (flooding(JSON, b"x-more: and more\r\n" * 200), "service-unavailable"),
        (flooding(JSON + b"x-long: ", b"x" * 9000), "service-unavailable"),
        (flooding(CHUNKED + b"1;", b"ext=1;" * 900), "service-unavailable"),
        (flooding(CHUNKED + b"1\r\n{\r\n0\r\n", b"trailer: more\r\n" * 500), "service-unavailable"),
        (flooding(b"HTTP/1.1 2", b"0" * 9000), "service-unavailable"),
        (flooding(CHUNKED, b"0" * 9000), "service-unavailable"),
    ],
    ids=[
        "continue without end",
        "hints without end",
        "empty events without end",
        "comments with extensions",
        "headers without end",
        "one header without end",
        "one extension without end",
        "trailers without end",
        "a status without end",
        "a length without end",
    ],
)
def test_what_never_comes_to_an_end_is_ended_and_counts_as_unknown(talk: Talk, code: str, tmp_path: Path) -> None:
    async def run() -> ServiceError:
        async with serving(talk) as url:
            bench = Bench(tmp_path, {"provider": "openai", "endpoint": f"{url}/v1", "apiKey": "sk-1234567"})
            with pytest.raises(ServiceError) as caught:
                await bench.arun(maxRetries=2, timeoutMs=1000)
            return caught.value

    tracemalloc.start()
    try:
        began = time.monotonic()
        error = asyncio.run(run())
        took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (error.charge_possible, error.attempts, error.code) == (True, 1, code)
    assert took < 8
    assert peak < BOUND


@pytest.mark.long
def test_an_upload_to_a_server_that_talks_and_does_not_read_is_not_heaped_up() -> None:
    """Each word of a server that reads nothing let another piece of the body into memory."""
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield bytes(256 * 1024)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # nothing else stops a stream from reading
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0.001)

    async def run() -> None:
        async with serving(talk) as url, open_client() as client:
            request = client.build_request("POST", url, content=body())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.5):
                    await client.send(request, stream=True)

    asyncio.run(run())
    assert taken < 100


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "413 Content Too Large"])
def test_a_response_before_the_request_is_wholly_sent_is_taken_and_the_connection_is_not_used_again(
    status: str,
) -> None:
    connections = 0

    async def body() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield bytes(64 * 1024)
            await asyncio.sleep(0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\nearly".encode())
        await reader.read()

    async def run() -> list[tuple[int, str]]:
        async with serving(talk) as url, open_client() as client:
            found = []
            for _ in range(2):
                response = await client.post(url, content=body())
                found.append((response.status_code, response.text))
            return found

    assert asyncio.run(run()) == [(int(status[:3]), "early")] * 2
    assert connections == 2


def test_the_rest_of_a_body_that_was_answered_early_never_goes_before_another_request() -> None:
    """The connection of a request whose bytes still wait to leave rested, and was used for the next."""
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nearly")
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # as above
        await asyncio.sleep(30)

    async def run() -> list[int]:
        async with serving(talk) as url, open_client() as client:
            async with asyncio.timeout(5):
                return [(await client.post(url, content=bytes(32 * 1024 * 1024))).status_code for _ in range(2)]

    assert asyncio.run(run()) == [400, 400]
    assert len(heads) == 2


@pytest.mark.parametrize("ending", ["close_notify", "cut", "cut while nobody reads"])
def test_a_body_without_a_length_that_is_cut_inside_tls_is_not_taken_for_whole(ending: str, certificate: Path) -> None:
    size = 4 * 1024 * 1024 if "nobody" in ending else 1000

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(BARE + b"a" * size)
        await writer.drain()
        if ending == "close_notify":
            writer.close()
            await writer.wait_closed()
        else:
            protocol = writer.transport._ssl_protocol  # type: ignore[attr-defined]  # only below it nothing is said
            protocol._transport.close()
            await asyncio.sleep(30)

    async def run() -> bytes:
        async with (
            serving(talk, server_tls(certificate)) as url,
            open_client(ca_pem=str(certificate / "ca.pem")) as client,
            exchanged(client, HttpRequest("GET", url), Delivery()) as response,
        ):
            if "nobody" in ending:
                await asyncio.sleep(0.3)
            return b"".join([chunk async for chunk in response.aiter_raw()])

    if ending == "close_notify":
        assert asyncio.run(run()) == b"a" * size
    else:
        with pytest.raises(httpx.ReadError, match="was cut"):
            asyncio.run(run())


def fetched_on_uvloop(sent: bytes, certificate: Path, *, is_cut: bool = False, read_after_s: float = 0.0) -> bytes:
    """The body of a response from a server with TLS, which then closes, or cuts the connection without a word."""
    import uvloop

    with socket.create_server(("127.0.0.1", 0)) as listening, concurrent.futures.ThreadPoolExecutor(1) as pool:

        def serve() -> None:
            connection, _ = listening.accept()
            with server_tls(certificate).wrap_socket(connection, server_side=True) as tls:
                tls.recv(4096)
                tls.sendall(sent)
                if not is_cut:
                    tls.unwrap()

        async def run() -> bytes:
            url = f"https://localhost:{listening.getsockname()[1]}"
            async with (
                open_client(ca_pem=str(certificate / "ca.pem")) as client,
                exchanged(client, HttpRequest("GET", url), Delivery()) as response,
            ):
                await asyncio.sleep(read_after_s)
                return b"".join([chunk async for chunk in response.aiter_raw()])

        served = pool.submit(serve)
        try:
            return uvloop.run(run())
        finally:
            served.result()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
@pytest.mark.parametrize("size, read_after_s", [(1000, 0.0), (200_000, 0.3)], ids=["read at once", "nobody reads yet"])
def test_a_body_that_is_cut_inside_tls_is_not_taken_for_whole_on_uvloop(
    size: int, read_after_s: float, certificate: Path
) -> None:
    with pytest.raises(httpx.ReadError, match="was cut"):
        fetched_on_uvloop(BARE + b"a" * size, certificate, is_cut=True, read_after_s=read_after_s)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
def test_a_body_whose_end_tls_has_is_whole_on_uvloop(certificate: Path) -> None:
    assert fetched_on_uvloop(BARE + b"a" * 1000, certificate) == b"a" * 1000


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
def test_a_whole_body_that_nobody_reads_yet_is_not_lost_on_uvloop(certificate: Path) -> None:
    size = 8_000_000
    head = JSON + b"content-length: %d\r\nconnection: close\r\n\r\n" % size
    assert fetched_on_uvloop(head + b"a" * size, certificate, is_cut=True, read_after_s=0.3) == b"a" * size
