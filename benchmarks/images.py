"""Image throughput and peak memory: ours, raw httpx and the openai package, each in a process of its own.

`python benchmarks/images.py` starts a server process that responds to every request with four pictures of 1.5 MB in
base64, lets each client store them and delete them, and prints pictures per second and peak memory, with the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import os
import resource
import socketserver
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Literal

PICTURES = 4
PICTURE_BYTES = 1_500_000
CONCURRENCY = (1, 16, 64)
CLIENTS = ("flowdsl", "links", "httpx", "openai")
"""`links` is flowdsl without metadata: the named file is a link to the bytes, where it else is a copy."""
BODY = {"model": "gpt-image-2", "prompt": "a lighthouse", "n": PICTURES}
FLOW = f"- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: a lighthouse\n  n: {PICTURES}\n"
SERIAL = b"flowdsl0"
Request = Callable[[int], Awaitable[None]]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def response() -> list[bytes]:
    """A whole HTTP response, cut where a serial number makes each picture a new one: PNG files of noise, with all their
    chunks, so that a run names and describes them as it does those of a vendor."""
    size = (1024).to_bytes(4, "big") * 2
    begin = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\x02\0\0\0")
    pictures = [
        base64.b64encode(begin + chunk(b"IDAT", os.urandom(PICTURE_BYTES - 57)) + chunk(b"IEND", b""))
        for _ in range(PICTURES)
    ]
    texts = [picture[:1000] + SERIAL + picture[1000 + len(SERIAL) :] for picture in pictures]
    body = json.dumps({"created": 1, "data": [{"b64_json": text.decode()} for text in texts]}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return (head + body).split(SERIAL)


class NewPictures(socketserver.StreamRequestHandler):
    """Responds to every request with new pictures: a server so simple that the clients are what is measured."""

    pieces: Sequence[bytes] = ()
    served = itertools.count()

    def handle(self) -> None:
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline().strip().lower()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name == b"content-length" else length
            self.rfile.read(length)
            serial = b"%08d" % next(self.served)
            for index, piece in enumerate(self.pieces):
                self.wfile.write(serial if index else b"")
                self.wfile.write(piece)


def serve() -> None:
    """Serve until killed; the port is printed."""
    NewPictures.pieces = response()
    socketserver.ThreadingTCPServer.daemon_threads = True
    socketserver.ThreadingTCPServer.request_queue_size = 256
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), NewPictures) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


async def flowdsl_client(
    port: int, folder: Path, stack: AsyncExitStack, metadata: Literal["none", "basic"] = "basic"
) -> Request:
    """A whole run of a flow with one image step, in an open environment."""
    import flowdsl

    settings = {"openai": {"endpoint": f"http://127.0.0.1:{port}/v1", "apiKey": "none-needed"}}
    environment = flowdsl.Environment(overrides=settings, storage=flowdsl.Storage(images=folder, metadata=metadata))
    await stack.enter_async_context(environment)
    flow = environment.load(FLOW)

    async def request(index: int) -> None:
        images = (await flow.arun()).images
        assert len(images) == PICTURES
        for image in images:
            discard(image.path)
            discard(image.original)

    return request


def store(folder: Path, name: str, text: str) -> None:
    """Decode and store a picture the plain way, and delete it: a growing page cache is not what is measured."""
    (folder / f"{name}.png").write_bytes(base64.b64decode(text))
    (folder / f"{name}.png").unlink()


def discard(path: str) -> None:
    """Delete a picture."""
    Path(path).unlink()


async def httpx_client(port: int, folder: Path, stack: AsyncExitStack) -> Request:
    """httpx, the response read whole."""
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = await stack.enter_async_context(httpx.AsyncClient(timeout=60.0, limits=limits))

    async def request(index: int) -> None:
        response = await client.post(f"http://127.0.0.1:{port}/v1/images/generations", json=BODY)
        for number, item in enumerate(response.json()["data"]):
            store(folder, f"{index}-{number}", item["b64_json"])

    return request


async def openai_client(port: int, folder: Path, stack: AsyncExitStack) -> Request:
    """The openai package, asynchronous."""
    import openai

    client = openai.AsyncOpenAI(api_key="none-needed", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)
    await stack.enter_async_context(client)

    async def request(index: int) -> None:
        response = await client.images.generate(model="gpt-image-2", prompt="a lighthouse", n=PICTURES)
        for number, item in enumerate(response.data or ()):
            store(folder, f"{index}-{number}", item.b64_json or "")

    return request


async def measure(client: str, port: int, concurrency: int) -> dict[str, float]:
    """Pictures a second and the peak memory in MB of this process."""
    links = partial(flowdsl_client, metadata="none")
    opened = {"flowdsl": flowdsl_client, "links": links, "httpx": httpx_client, "openai": openai_client}[client]
    total = max(24, 3 * concurrency)
    numbers = iter(range(total))
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            request = await opened(port, Path(folder), stack)
            await request(total)

            async def worker() -> None:
                for index in numbers:
                    await request(index)

            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(worker() for _ in range(concurrency)))
            elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    pictures = total * PICTURES
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "per_s": pictures / elapsed,
        "cpu_ms": 1000 * cpu / pictures,
        "mb": peak / (1024 * 1024 if sys.platform == "darwin" else 1024),
    }


def main() -> None:
    """Measure all clients and print the ratios."""
    here = [sys.executable, __file__]
    with subprocess.Popen([*here, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = (server.stdout.readline() if server.stdout else "").strip()
            print(f"{PICTURES} pictures of {PICTURE_BYTES / 1e6:.1f} MB a response")
            for concurrency in CONCURRENCY:
                found = {}
                for client in CLIENTS:
                    run = [*here, "--client", client, "--port", port, "--concurrency", str(concurrency)]
                    found[client] = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
                ours = found["flowdsl"]
                for client, one in found.items():
                    figures = f"{one['per_s']:6.0f} /s  {one['cpu_ms']:5.1f} ms CPU  {one['mb']:5.0f} MB"
                    speed, memory = ours["per_s"] / one["per_s"], ours["mb"] / one["mb"]
                    compared = f"flowdsl: {speed:4.1f} x as fast, {memory:.2f} x the memory"
                    print(f"at {concurrency:2}  {client:8} {figures}   {compared}")
        finally:
            server.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--client")
    parser.add_argument("--port", type=int)
    parser.add_argument("--concurrency", type=int)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    elif arguments.client:
        print(json.dumps(asyncio.run(measure(arguments.client, arguments.port, arguments.concurrency))))
    else:
        main()
