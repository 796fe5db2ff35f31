"""The gateway in front of a service: what it adds to a request, how many it serves, what it takes of memory, and what
is left of a signal in the middle.

`python -m benchmarks gateway` starts a service that counts, and `flowdsl serve` in front of it, each a process of its
own. Where `make .venv-litellm` has installed the proxy of litellm, that serves the same requests in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

from benchmarks.picture_service import KEY as SERVICE_KEY
from benchmarks.picture_service import made_by, service
from benchmarks.table import Row, duration, show

SMALL, LARGE = 1_000, 1_500_000
"""Bytes of a picture."""
CONNECTIONS = 64
SECONDS = 30
ROUNDS = 1000
AIM_ADDED, AIM_RATIO, AIM_MEMORY = "< 2 ms", "at least 8", "< 1 MB"
PATH = "/v1/images/generations"
BODY = {"model": "gpt-image-2", "prompt": "a lighthouse", "size": "1024x1024", "quality": "low"}
LITELLM = Path(".venv-litellm/bin/litellm")
AUTOCANNON = Path(__file__).with_name("node_modules") / ".bin" / "autocannon"
KEY = f"sk-{secrets.token_hex(32)}"
"""What litellm lets a client in by; it starts without none."""
_START_S = 60.0


class Gateway:
    """A gateway that serves: flowdsl's in its folder, or another's."""

    def __init__(self, process: subprocess.Popen[str], url: str, folder: Path) -> None:
        self.process = process
        self.url = url
        self.folder = folder

    def resident(self, which: str = "VmRSS") -> int:
        """Bytes of memory, of all its processes."""
        pids, found = [str(self.process.pid)], 0
        while pids:
            at = Path("/proc", pids.pop())
            found += int((at / "status").read_text().partition(f"{which}:")[2].split()[0]) * 1024
            pids += (at / "task" / at.name / "children").read_text().split()
        return found

    def bought(self) -> tuple[int, int]:
        """How many requests the ledger has as paid, and how many pictures there are."""
        with sqlite3.connect(self.folder / "state/journal.sqlite") as database:
            paid = database.execute("SELECT count(*) FROM ledger WHERE state = 'ok'").fetchone()[0]
        return paid, sum(each.suffix == ".png" for each in (self.folder / "pictures/.originals").iterdir())


@contextmanager
def flowdsl_gateway(url: str, folder: Path, workers: int = 1) -> Iterator[Gateway]:
    """`flowdsl serve` in front of a service."""
    (folder / "flowdsl.toml").write_text('[serve]\n[services.OPENAI_IMAGE_GENERATION]\nprovider = "openai"\n')
    own = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": SERVICE_KEY, "FLOWDSL_STATE": str(folder / "state")}
    command = [sys.executable, "-m", "flowdsl.cli", "serve", "--port", "0", "--out", "pictures"]
    command += ["--allow-endpoint", f"{url}/v1", "--workers", str(workers)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ, **own}) as process:
        assert process.stdout is not None
        try:
            yield Gateway(process, process.stdout.readline().split()[2].rstrip(","), folder)
        finally:
            _end(process)


@contextmanager
def litellm_gateway(url: str, folder: Path, workers: int = 1) -> Iterator[Gateway]:
    """The proxy of litellm in front of a service."""
    route = {"model": "openai/gpt-image-2", "api_base": f"{url}/v1", "api_key": SERVICE_KEY}
    routes = [{"model_name": BODY["model"], "litellm_params": route, "model_info": {"mode": "image_generation"}}]
    (folder / "litellm.yaml").write_text(json.dumps({"model_list": routes}))
    port = free_port()
    command = [str(LITELLM.absolute()), "--config", "litellm.yaml", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--num_workers", str(workers)]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    own = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with subprocess.Popen(command, cwd=folder, env={**os.environ, **own}, **quiet) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            until_ready(f"{address}/health/liveliness")
            yield Gateway(process, address, folder)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends a gateway with its workers: one that is killed leaves them behind."""
    process.terminate()
    try:
        process.wait(_START_S)
    finally:
        process.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until_ready(url: str) -> None:
    """Waits until an address responds."""
    end = time.monotonic() + _START_S
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


class Client:
    """One connection, as bare as can be."""

    def __init__(self, url: str) -> None:
        self._host, _, port = url.removeprefix("http://").partition(":")
        self._port = int(port)
        body = json.dumps(BODY).encode()
        head = f"POST {PATH} HTTP/1.1\r\nhost: {self._host}\r\nauthorization: Bearer {KEY}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body

    async def open(self) -> None:
        """Connects."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def ask(self) -> int:
        """The status of a request; its body is read and thrown away."""
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while left:
            left -= len(await self._reader.read(left)) or left
        return int(head[9:12])

    def close(self) -> None:
        """Ends the connection."""
        self._writer.close()


async def latencies(bare: str, gateway: str, rounds: int) -> tuple[list[float], list[float]]:
    """The seconds of requests by one connection to each, in turns."""
    clients = Client(bare), Client(gateway)
    times: tuple[list[float], list[float]] = ([], [])
    for client in clients:
        await client.open()
        for _ in range(50):
            await client.ask()
    for _ in range(rounds):
        for client, found in zip(clients, times, strict=True):
            began = time.perf_counter()
            assert await client.ask() == 200
            found.append(time.perf_counter() - began)
    for client in clients:
        client.close()
    return times


async def loaded(url: str, rounds: int) -> list[int]:
    """The statuses of requests by many connections, each so many after another, until the gateway ends."""
    found: list[int] = []

    async def one() -> None:
        client = Client(url)
        try:
            await client.open()
            for _ in range(rounds):
                found.append(await client.ask())
            client.close()
        except (OSError, asyncio.IncompleteReadError):
            pass

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return found


def autocannon(url: str, seconds: int) -> subprocess.Popen[str]:
    """A process of autocannon, which prints what it has found as JSON."""
    command: Sequence[str | os.PathLike[str]] = [
        *(AUTOCANNON, "--json", "--connections", str(CONNECTIONS), "--duration", str(seconds), "--timeout", "60"),
        *("--method", "POST", "--headers", "content-type=application/json"),
        *("--headers", f"authorization=Bearer {KEY}"),
        *("--body", json.dumps(BODY), f"{url}{PATH}"),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def throughput(gateway: Gateway, seconds: int) -> tuple[float, int, int]:
    """Requests a second that were served, and the memory after a third of the time and at the end."""
    autocannon(gateway.url, 2).communicate()
    with autocannon(gateway.url, seconds) as load:
        time.sleep(seconds / 3)
        third = gateway.resident()
        said = json.loads(load.communicate()[0])
    assert not said["non2xx"] and not said["errors"], said
    return said["2xx"] / said["duration"], third, gateway.resident()


def added() -> Row:
    """What the gateway adds to a request at one connection."""
    with service(SMALL) as url, tempfile.TemporaryDirectory() as folder, flowdsl_gateway(url, Path(folder)) as gateway:
        bare, through = asyncio.run(latencies(url, gateway.url, ROUNDS))
    figures = (duration(median(bare)), duration(median(through)))
    return Row("one connection, the median", figures, f"+ {duration(median(through) - median(bare))}", AIM_ADDED)


def served(seconds: int, workers: int) -> list[Row]:
    """Requests a second of both gateways."""
    rows, rates = [], []
    kinds = {"flowdsl": flowdsl_gateway, "litellm": litellm_gateway}
    for name, kind in kinds.items():
        if name == "litellm" and not LITELLM.exists():
            continue
        with (
            service(SMALL) as url,
            tempfile.TemporaryDirectory() as folder,
            kind(url, Path(folder), workers) as gateway,
        ):
            rate, third, end = throughput(gateway, seconds)
        rates.append(rate)
        memory = f"{third / 1e6:.0f} MB, {end / 1e6:.0f} MB"
        rows.append(Row(name, (f"{rate:.0f}/s", memory), f"{rates[0] / rate:.1f}", AIM_RATIO if len(rates) > 1 else ""))
    return rows


def memory() -> Row:
    """What large pictures take of memory, all connections at once."""
    with (
        service(LARGE, 0.5) as url,
        tempfile.TemporaryDirectory() as folder,
        flowdsl_gateway(url, Path(folder)) as gateway,
    ):
        asyncio.run(latencies(url, gateway.url, 1))
        idle = gateway.resident("VmHWM")
        statuses = asyncio.run(loaded(gateway.url, 4))
        assert statuses == [200] * (4 * CONNECTIONS)
        each = (gateway.resident("VmHWM") - idle) / CONNECTIONS
    return Row("1.5 MB a picture, 64 at once", (f"{idle / 1e6:.0f} MB",), f"+ {each / 1e6:.2f} MB each", AIM_MEMORY)


def stopped() -> Row:
    """What is left when a signal ends the gateway in the middle of its work."""
    with (
        service(SMALL, 0.02) as url,
        tempfile.TemporaryDirectory() as folder,
        flowdsl_gateway(url, Path(folder)) as gateway,
    ):

        async def signalled() -> list[int]:
            load = asyncio.create_task(loaded(gateway.url, 1_000_000))
            await asyncio.sleep(3)
            gateway.process.send_signal(signal.SIGTERM)
            return await load

        delivered = asyncio.run(signalled()).count(200)
        code = gateway.process.wait()
        paid, pictures = gateway.bought()
        made = made_by(url)
    is_whole = "nothing lost" if delivered == paid == pictures == made and code == 0 else "lost"
    figures = tuple(str(each) for each in (made, paid, pictures, delivered))
    return Row("SIGTERM after 3 s", figures, is_whole, "nothing lost")


def main() -> None:
    """Prints a table for each question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("only", nargs="*", choices=("added", "served", "memory", "stopped", []))
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--workers", type=int, default=1, help="processes of each gateway, for the requests a second")
    options = parser.parse_args() if __name__ == "__main__" else parser.parse_args([])
    chosen = options.only or ("added", "served", "memory", "stopped")
    if "added" in chosen:
        show("What a gateway adds to a request", ("bare", "through flowdsl"), [added()])
    if "served" in chosen and AUTOCANNON.exists():
        rows = served(options.seconds, options.workers)
        show("Requests a second, 64 connections", ("served", "memory at a third, at the end"), rows)
    if "memory" in chosen:
        show("Memory of large pictures", ("one request",), [memory()])
    if "stopped" in chosen:
        show("A signal in the middle", ("bought", "in the ledger", "pictures", "delivered"), [stopped()])


if __name__ == "__main__":
    main()
