"""A service of pictures for benchmarks, a process of its own: it responds to every request with another picture."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from benchmarks.images import SERIAL, chunk

KEY = f"sk-proj-{'0aB-' * 39}"
"""As long as one of OpenAI's: what is written is searched for it."""


def pieces(size: int) -> list[bytes]:
    """The response with a picture of so many bytes, cut where a serial number makes each picture a new one."""
    begin = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", (1024).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0")
    picture = base64.b64encode(begin + chunk(b"IDAT", os.urandom(size - 57)) + chunk(b"IEND", b""))
    text = picture[:400] + SERIAL + picture[400 + len(SERIAL) :]
    body = b'{"created": 1, "data": [{"b64_json": "' + text + b'"}]}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return (head + body).split(SERIAL)


async def serve(size: int, delay_s: float) -> None:
    """Serve until killed; the port is printed. A GET is given the number of the pictures that were made."""
    before, after = pieces(size)
    made = 0

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                if head[0].startswith(b"get"):
                    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n%d" % made)
                    break
                await reader.readexactly(next(int(line[15:]) for line in head if line.startswith(b"content-length:")))
                made += 1
                serial = b"%08d" % made
                if delay_s:
                    await asyncio.sleep(delay_s)
                writer.write(b"".join((before, serial, after)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def service(size: int, delay_s: float = 0.0) -> Iterator[str]:
    """The address of a service."""
    code = f"import asyncio, benchmarks.picture_service as b; asyncio.run(b.serve({size}, {delay_s}))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def made_by(url: str) -> int:
    """How many pictures a service has made."""
    with urlopen(url) as response:
        return int(response.read())
