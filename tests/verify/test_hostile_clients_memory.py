"""Two hundred clients at a time that send without end, by half or not at all: a gateway stays small, and serves on."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from counting_service import CountingService
from gateway_processes import gateway, until

from flowdsl.serve.tokens import Tokens

CLIENTS = 200
MOST_MORE = 64 * 1024 * 1024
GET = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
BLOCK = 60_000
KINDS = {
    "headers without end": (GET, b"a:\r\n" * (BLOCK // 4), 100),
    "a header without end": (GET + b"X-Long: ", b"x" * BLOCK, 100),
    "an address without end": (b"GET /", b"x" * BLOCK, 100),
    "half a head": (GET, b"", 0),
    "nothing": (b"", b"", 0),
    "a body for nobody": (POST + b"Content-Length: 30000000\r\n\r\n", b"x" * BLOCK, 100),
    "a body for nowhere": (b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n", b"x" * BLOCK, 100),
    "a body that is too large": (POST + b"Content-Length: 3000000000\r\n\r\n", b"x" * BLOCK, 100),
    "trailers without end": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n",
        b"a:\r\n" * (BLOCK // 4),
        100,
    ),
    "requests without end": ((GET + b"\r\n") * (BLOCK // len(GET)), (GET + b"\r\n") * (BLOCK // len(GET)), 20),
}
"""What a client sends first, what it sends again and again, and how often."""


def resident(pid: int) -> int:
    """How many bytes of memory a process has."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def send(stack: ExitStack, port: int, first: bytes, more: bytes, times: int) -> None:
    """Sends on a connection that stays open as long as the gateway leaves it."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
    connection.settimeout(1)
    with suppress(OSError):  # it was refused, or nobody reads on
        for piece in (first, *[more] * times):
            connection.sendall(piece)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="nothing says how much memory a process has")
def test_clients_without_a_token_take_no_memory(tmp_path: Path) -> None:
    token = Tokens(tmp_path / "state").create("shop")
    with CountingService() as service, gateway(tmp_path, service.variables(), 1) as (process, url):
        port = int(url.rpartition(":")[2])
        before, grown = resident(process.pid), {}
        for kind, sent in KINDS.items():
            with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(lambda _, stack=stack, sent=sent: send(stack, port, *sent), range(CLIENTS)))
                grown[kind] = resident(process.pid) - before
                found = httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {token}"}, timeout=60)
                assert found.status_code == 200, kind
        assert max(grown.values()) < MOST_MORE, {kind: f"{each / 1e6:.0f} MB" for kind, each in grown.items()}
        assert service.count == 0


@pytest.mark.skipif(sys.platform == "win32", reason="nothing limits how many files a process opens there")
def test_idle_clients_leave_files_to_open(tmp_path: Path) -> None:
    command = f"ulimit -n 128; exec {sys.executable} -m flowdsl.cli serve --simulate --port 0"
    with subprocess.Popen(
        ["bash", "-c", command], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r":(\d+)", process.stdout.readline().partition("//")[2])
            assert found is not None
            url = f"http://127.0.0.1:{found[1]}/healthz"
            with ExitStack() as stack:
                for _ in range(CLIENTS):
                    send(stack, int(found[1]), GET, b"", 0)
                refused = httpx.get(url, timeout=20)
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_is_overloaded")
            until(lambda: httpx.get(url, timeout=20).status_code == 200)
        finally:
            process.terminate()
        assert process.communicate(timeout=60)[1] == ""
