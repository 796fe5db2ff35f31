"""Heads of requests, which come before anybody has looked at who sends them: bounded in length, number and time."""

from __future__ import annotations

import json
import re
import socket

import pytest
from gateways import SMALL, Running

from flowdsl.serve import protocol
from flowdsl_steps.image.simulator import parse_fault

BEGIN = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n"
WHOLE = BEGIN + b"\r\n"


def raw(gateway: Running, *pieces: bytes) -> bytes:
    """What comes back on a connection for these bytes, until the gateway ends it."""
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection:
        found = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while block := connection.recv(65536):
                found += block
        except ConnectionError:  # it ended the connection while more was sent
            pass
    return found


def error_of(found: bytes) -> tuple[int, str]:
    """The status and the code of a refusal."""
    head, _, body = found.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


@pytest.mark.parametrize(
    "begin, more",
    [(BEGIN, b"a:\r\n"), (BEGIN + b"X-Long: ", b"x"), (b"GET /", b"x"), (b"", b"\r\n")],
    ids=["many headers", "a long header", "a long address", "nothing"],
)
def test_a_head_that_grows_too_large_is_cut_before_its_end(gateway: Running, begin: bytes, more: bytes) -> None:
    sent = begin + more * (protocol.LONGEST_HEAD // len(more) + 1)
    assert error_of(raw(gateway, sent[: protocol.LONGEST_HEAD + 1])) == (431, "request_head_too_large")


def test_a_head_has_no_more_headers_than_a_client_has_reason_for(gateway: Running) -> None:
    found = [raw(gateway, BEGIN + b"a:\r\n" * number + b"Connection: close\r\n\r\n") for number in (100, 300)]
    assert found[0].startswith(b"HTTP/1.1 200 ") and error_of(found[1]) == (431, "request_head_too_large")


def test_what_follows_a_body_may_not_grow_either(gateway: Running) -> None:
    head = b"POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    body = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    before = gateway.bought
    assert raw(gateway, head + body + b"a:\r\n" * protocol.LONGEST_HEAD) == b"" and gateway.bought == before


def test_a_body_in_small_pieces_is_no_head(gateway: Running) -> None:
    head = b"POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    pieces = b"".join(b"1;more=of-this\r\n \r\n" for _ in range(protocol.LONGEST_HEAD // 8))
    found = raw(gateway, head + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 400 ") and b"We could not parse the JSON body" in found


@pytest.mark.parametrize("begin", [b"", BEGIN], ids=["nothing", "half"])
def test_a_head_that_does_not_come_is_given_up(gateway: Running, monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr(protocol, "PATIENCE_S", 0.1)
    assert raw(gateway, begin) == b""


def test_half_a_head_behind_a_whole_one_is_given_up(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection:
        connection.sendall(WHOLE)
        found = connection.recv(65536)
        monkeypatch.setattr(protocol, "PATIENCE_S", 0.1)  # from now on, as the first head has come
        connection.sendall(WHOLE + BEGIN)
        while block := connection.recv(65536):
            found += block
    assert found.count(b"HTTP/1.1 200 ") == 2


@pytest.mark.long
def test_a_response_is_waited_for_also_where_the_next_head_does_not_come(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE_S", 2.0)
    gateway.simulator.faults.add(parse_fault("slow,delay_s=4"))
    body = json.dumps({**SMALL, "prompt": "A kite"}).encode()
    head = b"POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    found = raw(gateway, head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body + BEGIN)
    assert found.startswith(b"HTTP/1.1 200 ") and b'"b64_json": "' in found


def test_no_more_requests_wait_on_a_connection_than_a_client_has_reason_for(gateway: Running) -> None:
    found = raw(gateway, WHOLE * 2000)
    assert len(re.findall(rb"HTTP/1.1 200 ", found)) <= protocol.MOST_WAITING + 1


def test_what_is_no_http_is_told_in_the_shape_of_all_refusals(gateway: Running) -> None:
    assert error_of(raw(gateway, b"nonsense\r\n\r\n")) == (400, "invalid_http")
