"""Clients that send slowly, by half or too much, and addresses of pictures that are over: bounded, told in shape."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from gateways import FOR_AGENTS, MODEL, SMALL, Running, running_gateway

from flowdsl.serve import bodies, reading
from flowdsl.serve.pictures import LIFE_S, Pictures

NAME = f"{'ab' * 32}.png"
HEAD = b"POST /v1/images/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\n"


def raw(gateway: Running, *pieces: bytes) -> bytes:
    """What comes back on a connection for these bytes."""
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        found = b""
        while block := connection.recv(65536):
            found += block
    return found


@pytest.mark.parametrize(
    "operation, kind, begin",
    [(b"generations", b"application/json", b"{"), (b"edits", b"multipart/form-data; boundary=x", b"--x\r\nContent")],
)
def test_a_body_that_does_not_come_is_given_up(
    gateway: Running, monkeypatch: pytest.MonkeyPatch, operation: bytes, kind: bytes, begin: bytes
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.2)
    found = raw(gateway, HEAD % (operation, kind) + b"Content-Length: 1000\r\n\r\n" + begin)
    assert found.startswith(b"HTTP/1.1 408 ") and b'"code":"request_timeout"' in found


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that serves a flow to agents."""
    folder = tmp_path_factory.mktemp("agents")
    (folder / "a.flow.yaml").write_text("inputs: {text: {}}\nflow: [{step: SET, a: 1}]\n", encoding="utf-8")
    with running_gateway(folder, '[serve]\nflows = ["a.flow.yaml"]\n') as found:
        yield found


MCP = (
    b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Accept: application/json, text/event-stream\r\n"
)


@FOR_AGENTS
def test_half_a_body_of_an_agent_is_given_up_and_not_held(agents: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.2)
    found = raw(agents, MCP + b"Content-Length: 1000000\r\n\r\n" + b"{" * 50_000)  # which come in one piece
    assert found.startswith(b"HTTP/1.1 408 ") and b'"code":"request_timeout"' in found
    assert agents.server.application.reading.length == 0


@FOR_AGENTS
def test_a_body_of_an_agent_that_grows_too_large_is_cut(agents: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl.serve.mcp_address.LONGEST_JSON", 100)
    found = raw(agents, MCP + b"Transfer-Encoding: chunked\r\n\r\n", *[b"50\r\n" + b"x" * 0x50 + b"\r\n"] * 2)
    assert found.startswith(b"HTTP/1.1 413 ") and b'"code":"request_too_large"' in found


@FOR_AGENTS
def test_half_bodies_of_agents_are_counted_with_all_others(agents: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_HELD", 49_999)
    found = raw(agents, MCP + b"Content-Length: 1000000\r\n\r\n" + b"{" * 50_000)
    assert found.startswith(b"HTTP/1.1 503 ") and b'"code":"server_is_overloaded"' in found
    assert agents.server.application.reading.length == 0


@FOR_AGENTS
def test_an_agent_may_send_a_picture_as_large_as_any_client(agents: Running) -> None:
    said = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    call = {**said, "params": {"name": "a", "arguments": {"text": "A" * 6_000_000}}}
    accepted = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    begin = {**said, "method": "initialize"}
    begin["params"] = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    session = agents.post(begin, "/mcp", headers=accepted).headers["mcp-session-id"]
    headers = {**accepted, "Mcp-Session-Id": session}
    agents.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, "/mcp", headers=headers)
    found = agents.post(call, "/mcp", headers=headers)
    assert found.status_code == 200 and '"isError":true' not in found.text, found.text[:1000]


@pytest.mark.parametrize(
    "operation, kind, begin",
    [
        (b"generations", b"application/json", b'{"prompt": "'),
        (b"edits", b"multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'),
    ],
)
def test_a_body_in_pieces_that_grows_too_large_is_cut(
    gateway: Running, monkeypatch: pytest.MonkeyPatch, operation: bytes, kind: bytes, begin: bytes
) -> None:
    monkeypatch.setattr(bodies, "LONGEST_JSON", 100)
    monkeypatch.setattr(bodies, "LONGEST_FORM", 100)
    head = HEAD % (operation, kind) + b"Transfer-Encoding: chunked\r\n\r\n"
    found = raw(gateway, head, *(b"50\r\n" + piece.ljust(0x50, b"x") + b"\r\n" for piece in (begin, b"")))
    assert found.startswith(b"HTTP/1.1 413 ") and b'"code":"request_too_large"' in found


def test_a_client_that_leaves_in_the_middle_of_its_body_buys_nothing(gateway: Running) -> None:
    before = gateway.bought
    body = json.dumps({**SMALL, "prompt": "A kite"}).encode()
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection:
        head = HEAD % (b"generations", b"application/json")
        connection.sendall(head + f"Content-Length: {len(body) + 1}\r\n\r\n".encode() + body)
    assert httpx.get(f"{gateway.url}/v1/models").status_code == 200
    assert gateway.bought == before


def test_a_gateway_that_does_all_it_can_tells_the_next_to_come_back(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowdsl.serve.headers.MOST_AT_ONCE", 0)
    found = gateway.post({"prompt": "A kite", "model": MODEL})
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert found.json()["error"]["code"] == "server_is_overloaded"


@pytest.mark.parametrize("path", ["/flows/a/runs", pytest.param("/mcp", marks=FOR_AGENTS)])
def test_a_gateway_that_does_all_it_can_begins_no_flow_either(
    agents: Running, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("flowdsl.serve.headers.MOST_AT_ONCE", 0)
    found = agents.post({"inputs": {"text": "a"}}, path)
    assert (found.status_code, found.json()["error"]["code"]) == (503, "server_is_overloaded")


def test_an_address_of_a_picture_is_good_for_an_hour_and_for_every_process(tmp_path: Path) -> None:
    now = [1_000_000.0]
    pictures, other = (Pictures(tmp_path, tmp_path / "state", clock=lambda: now[0]) for _ in range(2))
    address = pictures.address_of(NAME, "http://127.0.0.1:8080/")
    start, _, rest = address.partition("/pictures/")
    signature, expires, name = rest.split("/")
    assert start == "http://127.0.0.1:8080" and other.file_of(signature, expires, name) is not None
    now[0] += LIFE_S + 1
    assert pictures.file_of(signature, expires, name) is None


@pytest.mark.parametrize(
    "signature, expires, name",
    [
        ("", "9999999999", NAME),
        ("0" * 40, "9999999999", NAME),
        ("ü" * 40, "9999999999", NAME),
        ("0" * 40, "-1", NAME),
        ("0" * 40, "٣", NAME),
        ("0" * 40, "9" * 30, NAME),
        ("0" * 40, "9999999999", "../state/serve.key"),
        ("0" * 40, "9999999999", f"{NAME}\x00"),
    ],
)
def test_an_address_that_is_made_up_leads_nowhere(tmp_path: Path, signature: str, expires: str, name: str) -> None:
    assert Pictures(tmp_path, tmp_path / "state").file_of(signature, expires, name) is None


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that comes."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize(
    "operation, kind, begin",
    [(b"generations", b"application/json", b"{"), (b"edits", b"multipart/form-data; boundary=x", b"--x\r\nContent")],
)
def test_half_a_body_does_not_keep_a_gateway_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: bytes, kind: bytes, begin: bytes
) -> None:
    monkeypatch.setattr(reading, "GRACE_S", 0.1)
    with (
        running_gateway(tmp_path) as gateway,
        socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection,
    ):
        connection.sendall(HEAD % (operation, kind) + b"Content-Length: 1000\r\n\r\n" + begin)
        until(lambda: bool(gateway.server.application.reading.open))
        gateway.server.stop()
        found = connection.makefile("rb").read()
    assert found.startswith(b"HTTP/1.1 503 ") and b'"code":"shutting_down"' in found


def test_bodies_of_all_clients_together_are_bounded(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_HELD", 1000)
    head = HEAD % (b"edits", b"multipart/form-data; boundary=x") + b"Content-Length: 5000\r\n\r\n--x\r\nContent-"
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection:
        connection.sendall(head.ljust(len(head) + 700, b"x"))
        until(lambda: gateway.server.application.reading.length > 600)
        found = raw(gateway, head.ljust(len(head) + 700, b"x"))
        assert found.startswith(b"HTTP/1.1 503 ") and b'"code":"server_is_overloaded"' in found
    until(lambda: gateway.server.application.reading.length == 0)
    assert gateway.post({**SMALL, "prompt": "A kite"}).status_code == 200
    until(lambda: gateway.server.application.reading.length == 0)


CALL = {
    "name": "a",
    "arguments": {"text": "", **{f"name{number}": 1 for number in range(500)}},
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    },
}
OF_CALL = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "a",
}


def test_of_very_many_fields_that_there_are_not_the_first_are_told(gateway: Running) -> None:
    found = gateway.post({**SMALL, "prompt": "A kite", **{f"name{number}": 1 for number in range(500)}})
    assert found.status_code == 400 and len(found.json()["error"]["problems"]) == 20


@FOR_AGENTS
def test_of_very_many_inputs_that_there_are_not_an_agent_is_told_the_first(agents: Running) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}
    assert "20 inputs are wrong" in agents.post(message, "/mcp", headers=OF_CALL).text


def test_of_an_address_with_very_many_parts_nobody_looks_for_what_is_meant(gateway: Running) -> None:
    said = httpx.get(f"{gateway.url}{'/a' * 300}/v1/models").json()["error"]["message"]
    assert said.endswith("; GET / says where to look")


def test_a_form_that_cannot_be_read_is_told_to_its_client_alone(
    gateway: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a process without tests
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    found = httpx.post(f"{gateway.url}/v1/images/edits", content=b"--another\r\n", headers=kind)
    assert (found.json()["error"]["code"], capsys.readouterr().err) == ("invalid_form", "")
