"""What clients send that is no request: it is refused with an id, and stands in the log of the gateway, not in that of
a library beside it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from gateways import Running
from test_heads import BEGIN, error_of, raw

from flowdsl.serve import protocol


def id_of(found: bytes) -> str:
    """The id that a response names its request by."""
    (request,) = re.findall(rb"x-request-id: (\S+)\r\n", found)
    return str(request, "ascii")


@pytest.mark.parametrize(
    "sent, status, code",
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "invalid_http"),
        (b"HELO there\r\n\r\n", 400, "invalid_http"),
        (BEGIN + b"a:\r\n" * 300 + b"\r\n", 431, "request_head_too_large"),
    ],
    ids=["TLS", "another protocol", "too many headers"],
)
def test_what_is_no_request_is_a_line_of_the_log(gateway: Running, sent: bytes, status: int, code: str) -> None:
    found = raw(gateway, sent)
    assert error_of(found) == (status, code)
    request = id_of(found)
    assert {**gateway.line_of(request), "time": ""} == {"time": "", "request": request, "status": status, "code": code}
    counts = httpx.get(f"{gateway.url}/metrics").text
    assert f'path="other",status="{status}"' in counts


def test_a_connection_too_many_is_a_line_of_the_log(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(protocol, "most_connections", lambda: 0)
        found = raw(gateway)
    assert error_of(found) == (503, "server_is_overloaded")
    assert gateway.line_of(id_of(found))["code"] == "server_is_overloaded"


def test_no_library_says_on_standard_error_what_clients_send(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flowdsl.cli", "serve", "--simulate", "--port", "0", "--log-json", "log"]
    environment = {**os.environ, "FLOWDSL_STATE": str(tmp_path / "state")}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r":(\d+)", process.stdout.readline().partition("//")[2])
            assert found is not None
            upgrade = BEGIN + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
            for sent in (b"HELO there\r\n\r\n", upgrade):
                with socket.create_connection(("127.0.0.1", int(found[1])), timeout=30) as connection:
                    connection.sendall(sent)
                    assert connection.recv(65536).startswith(b"HTTP/1.1 ")
        finally:
            process.terminate()
        assert process.communicate(timeout=60)[1] == ""
    lines = [json.loads(line) for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
    assert [line["status"] for line in lines] == [400, 200]
