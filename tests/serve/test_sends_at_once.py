"""Nothing small waits in a socket until what was sent before it is acknowledged, which takes 40 ms."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from flowdsl.serve.server import listener
from flowdsl_steps.http.transport import Transport, open_client
from flowdsl_steps.image.simulator.server import _bind


def sends_at_once(transport: asyncio.BaseTransport) -> bool:
    """Whether Nagle's algorithm is off."""
    found: socket.socket = transport.get_extra_info("socket")
    return bool(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


@pytest.mark.parametrize("listens", [listener, _bind], ids=["gateway", "simulator"])
def test_a_server_sends_the_body_behind_the_head_at_once(listens: Callable[[str, int], socket.socket]) -> None:
    async def run() -> bool:
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.set_result(sends_at_once(writer.transport))
            writer.close()

        async with await asyncio.start_server(respond, sock=listens("127.0.0.1", 0)) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.close()
            return await found

    assert asyncio.run(run())


def test_a_client_sends_the_pieces_of_a_form_at_once() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writers.append(writer)

    async def run() -> list[bool]:
        async with await asyncio.start_server(respond, "127.0.0.1", 0) as server, open_client() as client:
            await client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            transport = client._transport
            assert isinstance(transport, Transport)
            found = [sends_at_once(each._transport) for each in transport._open]
            writers[0].close()
            await writers[0].wait_closed()
            return found

    assert asyncio.run(run()) == [True]
