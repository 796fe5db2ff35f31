"""Proxies that lie, fail or hang: what they may have passed on counts as sent, and what they never had does not."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from image_bench import Bench
from image_pictures import PICTURES
from image_server import Tiny, tiny

from flowdsl.errors import ServiceError
from flowdsl_steps.http import connect

KEY = "sk-shown-nowhere-123456"
PICTURE = b'{"data":[{"b64_json":"' + base64.b64encode(PICTURES["png"][0]) + b'"}]}'
CHALLENGE = "407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=p"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


@contextlib.asynccontextmanager
async def proxy(talk: Talk) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that does what `talk` does after the first head; gives its address and the heads."""
    heads: list[bytes] = []
    running: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            await talk(reader, writer, head)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://me:{KEY}@127.0.0.1:{listening.sockets[0].getsockname()[1]}", heads
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def paid(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The service behind the proxy: it draws, and wants money for it."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    writer.write(b"content-length: %d\r\n\r\n" % len(PICTURE) + PICTURE)


def failed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Tiny], Talk],
    *,
    scheme: str = "http",
    as_proxy: str = "http",
    **options: Any,
) -> tuple[ServiceError, int, int]:
    """The error of an image step behind a proxy, how many requests the service saw, and how many the proxy."""

    async def run() -> tuple[ServiceError, int, int]:
        async with tiny(paid) as server, proxy(make(server)) as (url, heads):
            monkeypatch.setenv(f"{scheme}_proxy", url.replace("http", as_proxy, 1))
            bench = Bench(tmp_path, {"provider": "openai", "endpoint": f"{scheme}://pictures.test/v1", "apiKey": KEY})
            with pytest.raises(ServiceError) as caught:
                await bench.arun(**options)
            return caught.value, len(server.heads), len(heads)

    error, drawn, asked = asyncio.run(run())
    assert KEY not in f"{error.message} {error.hint}"
    return error, drawn, asked


def passing_on(then: bytes) -> Callable[[Tiny], Talk]:
    """A proxy that passes a request on, and then says something else than what came."""

    def make(server: Tiny) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
            length = next(int(x[15:]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:"))
            there, onward = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
            onward.write(head + await reader.readexactly(length))
            await there.readuntil(b"\r\n\r\n")
            onward.close()
            writer.write(then)

        return talk

    return make


@pytest.mark.parametrize(
    "status",
    [CHALLENGE, "407 No", "502 Bad Gateway", "504 Gateway Timeout", None],
    ids=["wants a login", "says 407 alone", "bad gateway", "gateway timeout", "closes"],
)
def test_a_proxy_that_passes_the_request_on_and_then_refuses_leaves_it_unknown_and_is_asked_once(
    status: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = b"" if status is None else f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode()
    error, drawn, asked = failed(tmp_path, monkeypatch, passing_on(said), maxRetries=3)
    assert (drawn, asked, error.charge_possible, error.retryable, error.attempts) == (1, 1, True, False, 1)
    if "407" in (status or ""):
        assert "the proxy http://127.0.0.1:" in error.message
        assert "responded with 407" in error.message
        assert "may have been done and billed" in error.message


def saying(data: bytes, *, hang: bool = False, flood: bytes = b"") -> Callable[[Tiny], Talk]:
    """A proxy that says something to CONNECT, and then closes, hangs, or never ends."""

    def make(server: Tiny) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
            assert head.startswith(b"CONNECT pictures.test:443 ")
            writer.write(data)
            while flood:
                writer.write(flood)
                await writer.drain()
            if hang:
                await asyncio.sleep(60)

        return talk

    return make


@pytest.mark.long
@pytest.mark.parametrize(
    "make",
    [
        saying(b"", hang=True),
        saying(b"HTTP/1.1 200", hang=True),
        saying(b"HTTP/1.1 200 OK\r\n\r\n", hang=True),
        saying(b""),
        saying(b"\x00\xffgarbage\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
        saying(b"HTTP/1.1 200 OK\r\n\r\n"),
        saying(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        saying(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
        saying(b"", flood=b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        saying(b"HTTP/1.1 200 OK\r\n", flood=b"x-more: and more\r\n" * 100),
    ],
    ids=[
        "says nothing",
        "half a line",
        "a tunnel to nowhere",
        "closes",
        "garbage",
        "a body",
        "closes the tunnel",
        "another protocol",
        "a redirect",
        "never comes to the point",
        "headers without end",
    ],
)
def test_a_proxy_that_makes_no_tunnel_never_had_the_request(
    make: Callable[[Tiny], Talk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "CONNECT_TIMEOUT_S", 0.4)
    began = time.monotonic()
    error, drawn, asked = failed(tmp_path, monkeypatch, make, scheme="https", maxRetries=0)
    assert (drawn, asked, error.charge_possible, error.retryable) == (0, 1, False, True)
    assert time.monotonic() - began < 20  # and not as long as it hangs


@pytest.mark.parametrize("kind", ["socks4", "socks5", "socks5h", "ftp"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_of_another_kind_is_named_and_sent_nothing(
    kind: str, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, drawn, asked = failed(tmp_path, monkeypatch, passing_on(b""), scheme=scheme, as_proxy=kind, maxRetries=0)
    assert (drawn, asked, error.charge_possible) == (0, 0, False)
    assert f"the proxy {kind}://127.0.0.1:" in error.message
    assert "is not supported: use an http proxy, or NO_PROXY" in error.message
