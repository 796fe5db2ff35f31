"""The connections of the transport: how long they are kept, what is sent again, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from image_server import Response, Tiny, plain, tiny

from flowdsl_steps.http import transport as transport_module
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.transport import KEEP_ALIVE_S, Transport, open_client

RUNS = 200
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


def pool(client: httpx.AsyncClient) -> Transport:
    found = client._transport
    assert isinstance(found, Transport)
    return found


@contextlib.asynccontextmanager
async def impatient(keep_alive_s: float) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that closes a connection when nothing is asked on it for so long after a response.

    Closing is one step: what has arrived by then is answered, however busy the machine, and what is asked later finds
    the connection closed.
    """
    asked: list[bytes] = []
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        patience_s = 30.0
        connection: socket.socket = writer.get_extra_info("socket")
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while True:
                reading = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
                done, _ = await asyncio.wait({reading}, timeout=patience_s)
                if not done and not select.select([connection.fileno()], [], [], 0)[0]:
                    connection.shutdown(socket.SHUT_RDWR)
                    reading.cancel()
                    break
                asked.append((await reading).split(b" ")[1])
                writer.write(HEAD + b"hello")
                patience_s = keep_alive_s
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked
        for task in tasks:
            if task is not None:
                task.cancel()


@pytest.mark.long
@pytest.mark.parametrize("pause_s", [0.0, 1.45, 1.55])
def test_200_runs_at_once_meet_no_connection_that_the_server_gave_up(pause_s: float) -> None:
    async def run() -> None:
        # Far enough apart that a busy loop, which hears of responses late, keeps no connection longer than the server.
        async with impatient(1.5) as (url, asked), open_client(keep_alive_s=0.3) as client:
            for turn in range(4):
                targets = [f"/{turn}/{index}" for index in range(RUNS)]
                found = await asyncio.gather(*(client.get(url + target) for target in targets))
                assert [response.text for response in found] == ["hello"] * RUNS
                assert sorted(asked) == sorted(target.encode() for target in targets)
                asked.clear()
                await asyncio.sleep(pause_s)

    assert KEEP_ALIVE_S == 3.0
    asyncio.run(run())


@pytest.mark.long
def test_200_runs_at_once_meet_no_connection_that_was_closed_right_after_its_response() -> None:
    async def close(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(head.split(b" ")[1])
        writer.write(HEAD + b"hello")
        writer.close()

    async def run() -> None:
        async with tiny(close) as server, open_client() as client:
            for turn in range(5):
                found = await asyncio.gather(*(client.get(f"{server.url}/{turn}/{n}") for n in range(RUNS)))
                assert [response.text for response in found] == ["hello"] * RUNS
        assert len(asked) == len({*asked}) == 5 * RUNS

    asked: list[bytes] = []
    asyncio.run(run())


def test_a_connection_that_nobody_uses_is_closed_after_its_time() -> None:
    async def run() -> float:
        async with tiny(plain(b"hello")) as server, open_client(keep_alive_s=0.2) as client:
            await client.get(server.url)
            began = time.monotonic()
            async with asyncio.timeout(5):
                await server.left.wait()
            assert not pool(client)._open
            return time.monotonic() - began

    assert 0.1 < asyncio.run(run()) < KEEP_ALIVE_S


def test_bytes_that_nobody_asked_for_are_not_taken_for_the_next_response() -> None:
    async def run() -> tuple[list[str], int]:
        async with tiny(more) as server, open_client() as client:
            texts = []
            for _ in range(3):
                texts.append((await client.get(server.url)).text)
                await asyncio.sleep(0.05)
            return texts, server.connections

    async def more(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"hello")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")

    assert asyncio.run(run()) == (["hello"] * 3, 3)


@pytest.mark.parametrize("is_looked_at", [True, False])
def test_a_request_goes_out_anew_when_the_write_to_a_connection_that_was_reset_fails(
    monkeypatch: pytest.MonkeyPatch, is_looked_at: bool
) -> None:
    if not is_looked_at:
        monkeypatch.setattr("flowdsl_steps.http.connection.has_news", lambda transport: False)

    async def run() -> list[bool]:
        sent = []
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with open_client() as client:
                for _ in range(2):
                    delivery = Delivery()
                    serving = asyncio.create_task(asyncio.to_thread(serve_one, listening))
                    response = await client.post(url, content=b"x", extensions={"delivery": delivery})
                    assert response.text == "hello"
                    connection = await serving
                    # The loop sees none of it: the reset is there when the next request is written.
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.close()
                    sent.append(delivery.sent)
        return sent

    assert asyncio.run(run()) == [True, True]


def serve_one(listening: socket.socket) -> socket.socket:
    connection, _ = listening.accept()
    connection.settimeout(30)
    while not connection.recv(65536).endswith(b"x"):
        pass
    connection.sendall(HEAD + b"hello")
    return connection


def test_a_body_that_nobody_takes_is_not_read_from_the_network() -> None:
    written = 0

    async def flood(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
        while True:
            writer.write(b"x" * 100_000)
            written += 100_000
            await writer.drain()

    async def run() -> None:
        async with tiny(flood) as server, open_client() as client, client.stream("GET", server.url) as response:
            await anext(response.aiter_raw())
            await asyncio.sleep(0.3)

    asyncio.run(run())
    assert written < 30_000_000  # what the system's buffers hold


def test_a_server_that_responds_before_it_has_read_the_request_is_heard() -> None:
    async def early(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await writer.drain()
        await asyncio.sleep(60)  # and reads no more

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    async def run() -> None:
        async with tiny(early) as server, open_client() as client, asyncio.timeout(30):
            for _ in range(2):
                response = await client.post(server.url, content=endless())
                assert (response.status_code, response.text) == (413, "big")
            assert not pool(client)._open

    asyncio.run(run())


async def nothing(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def half(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"he")
    await reader.read()


async def endless_body() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 100_000


@pytest.mark.long
@pytest.mark.parametrize(
    ("phase", "response", "sent"),
    [("connecting", nothing, False), ("sending", nothing, True), ("waiting", nothing, True), ("reading", half, True)],
)
@pytest.mark.parametrize("ends_by", ["cancel", "timeout"])
@pytest.mark.filterwarnings("error")
def test_a_request_that_is_broken_off_leaves_nothing_and_says_what_was_sent(
    phase: str, response: Response, sent: bool, ends_by: str
) -> None:
    async def ask(client: httpx.AsyncClient, url: str, delivery: Delivery) -> None:
        content = endless_body() if phase == "sending" else b"x"
        if phase == "connecting":
            url = url.replace("http:", "https:")  # the server waits for more than a greeting of TLS
        await client.post(url, content=content, extensions={"delivery": delivery})

    async def begun(server: Tiny) -> None:
        while not (server.connections if phase == "connecting" else server.heads):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)  # and it goes on for a while

    async def in_time(client: httpx.AsyncClient, server: Tiny, delivery: Delivery) -> None:
        async with asyncio.timeout(None) as limit:
            over = asyncio.ensure_future(begun(server))
            over.add_done_callback(lambda _: limit.reschedule(0))
            await ask(client, server.url, delivery)

    async def run() -> None:
        delivery = Delivery()
        async with tiny(response) as server, open_client() as client:
            if ends_by == "timeout":
                with pytest.raises(TimeoutError):
                    await in_time(client, server, delivery)
            else:
                task = asyncio.create_task(ask(client, server.url, delivery))
                await begun(server)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert delivery.sent is sent
            async with asyncio.timeout(30):
                await server.left.wait()
            assert not pool(client)._open
            assert pool(client)._turns._value == transport_module._CONNECTIONS
            gc.collect()

    asyncio.run(run())


def test_a_body_that_is_left_half_read_closes_its_connection() -> None:
    async def run() -> None:
        async with tiny(half) as server, open_client() as client:
            async with client.stream("GET", server.url) as response:
                assert await anext(response.aiter_raw()) == b"he"
            assert not pool(client)._open
            async with asyncio.timeout(30):
                await server.left.wait()

    asyncio.run(run())


def test_more_requests_than_connections_wait_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "_CONNECTIONS", 2)

    async def run() -> tuple[list[bytes], int, int]:
        async with tiny(slow) as server, tiny(plain(b"hello")) as other, open_client() as client:
            await asyncio.gather(*(client.get(f"{server.url}/{n}") for n in range(8)))
            await client.get(other.url)
            return [head.split(b" ")[1] for head in server.heads], server.connections, len(pool(client)._open)

    async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(HEAD + b"hello")

    assert asyncio.run(run()) == ([b"/%d" % n for n in range(8)], 2, 2)


def written(data: bytes) -> Callable[..., object]:
    async def response(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return response


NOT_HTTP = "what the server sent is not HTTP"
CUT = "the connection was closed before the end of the body"
NO_RESPONSE = "the server closed the connection without a response"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.6 secret-key\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 abc OK\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nno colon secret-key\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", NOT_HTTP),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe", CUT),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", CUT),
        (b"HTTP/1.1 200 OK\r\ncontent-le", NO_RESPONSE),
        (b"", NO_RESPONSE),
    ],
    ids=[
        *(
            "another protocol",
            "no status",
            "no colon",
            "no length",
            "two lengths",
            "no chunk",
            "an upgrade",
            "a long head",
        ),
        *("a cut chunk", "a cut body", "a cut head", "nothing"),
    ],
)
def test_what_is_not_http_is_said_in_words_of_our_own(data: bytes, reason: str) -> None:
    async def run() -> tuple[str, bool]:
        delivery = Delivery()
        async with tiny(written(data)) as server, open_client() as client:  # type: ignore[arg-type]
            with pytest.raises(httpx.ReadError) as caught:
                await client.get(f"{server.url}/?key=secret-key", extensions={"delivery": delivery})
            return str(caught.value), delivery.sent

    assert asyncio.run(run()) == (reason, True)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", "old"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxyz", "x"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
    ],
    ids=["by closing", "as of old", "in chunks", "after a hint and with more than it says", "without one"],
)
def test_every_way_to_end_a_body_is_read(data: bytes, text: str) -> None:
    async def run() -> str:
        async with tiny(written(data)) as server, open_client() as client:  # type: ignore[arg-type]
            return (await client.get(server.url)).text

    assert asyncio.run(run()) == text


def test_a_plain_request_loads_no_certificates_and_no_second_http_library() -> None:
    program = (
        "import asyncio, sys\nfrom flowdsl_steps.http.transport import open_client\n"
        "async def run():\n    async with open_client() as client:\n        await client.get(sys.argv[1])\n"
        "asyncio.run(run())\nprint(sorted({'certifi', 'httpcore', 'anyio', 'aiohttp'} & set(sys.modules)))"
    )

    async def run() -> str:
        async with tiny(plain(b"hello")) as server:
            command = [sys.executable, "-c", program, server.url]
            ran = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
            return ran.stdout

    assert asyncio.run(run()) == "[]\n"


def test_a_body_that_is_shorter_than_its_header_says_is_an_error_of_httpx() -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"

    async def run() -> None:
        async with tiny(plain(b"")) as server, open_client() as client:
            await client.post(server.url, content=half(), headers={"content-length": "8"})

    with pytest.raises(httpx.LocalProtocolError, match="the body has another length than its header says"):
        asyncio.run(run())


def test_a_client_keeps_no_cookies() -> None:
    heads: list[bytes] = []

    async def baker(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\nset-cookie: sid=ada\r\ncontent-length: 0\r\n\r\n")

    async def run() -> None:
        async with tiny(baker) as server, open_client() as client:
            for _ in range(2):
                await client.get(server.url)

    asyncio.run(run())
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()
