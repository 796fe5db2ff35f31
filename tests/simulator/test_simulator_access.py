"""The simulator serves this machine alone, and does not fall over what strangers send."""

from __future__ import annotations

import socket

import httpx
import pytest

from flowdsl_steps.image.simulator import Simulator

BODY = {"prompt": "a red fox", "model": "dall-e-2", "size": "256x256"}
NESTED = "[" * 900 + "]" * 900


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "evil.example:8080"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "10.0.0.5"}, 403),
        ({"host": "[::1"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "localhost:80"}, 200),
        ({"host": "app.localhost"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"origin": "http://localhost:3000"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/_simulator/requests", "/v1/models"])
def test_a_page_of_a_stranger_cannot_ask_the_simulator(
    sim: Simulator, path: str, headers: dict[str, str], status: int
) -> None:
    response = httpx.get(f"{sim.url}{path}", headers={"authorization": f"Bearer {sim.key}", **headers})
    assert response.status_code == status
    assert response.status_code == 200 or "--allow-host NAME" in response.json()["error"]["message"]


def test_a_host_that_is_allowed_is_served() -> None:
    with Simulator(allow_hosts=["pictures.test"]) as sim:
        assert httpx.get(f"{sim.url}/_simulator/requests", headers={"host": "pictures.test"}).status_code == 200
        assert httpx.get(f"{sim.url}/_simulator/requests", headers={"host": "other.test"}).status_code == 403


def test_the_control_address_needs_its_token_where_others_can_reach_it() -> None:
    with Simulator(host="0.0.0.0") as sim:  # noqa: S104  that is what the token is for
        url, token = f"http://127.0.0.1:{sim.port}/_simulator", sim.control_token
        assert token is not None
        for headers in ({}, {"x-simulator-token": "wrong"}, {"x-simulator-token": token[:-1]}):
            assert httpx.get(f"{url}/requests", headers=headers).status_code == 401
            assert httpx.post(f"{url}/faults", headers=headers, json={"faults": ["hang"]}).status_code == 401
        assert sim.faults.pending == ()
        assert httpx.get(f"{url}/requests", headers={"x-simulator-token": token}).status_code == 200
        assert (
            httpx.get(f"{url}/requests", headers={"x-simulator-token": token, "host": "evil.example"}).status_code
            == 403
        )
    with Simulator() as sim:
        assert sim.control_token is None


@pytest.mark.parametrize("body", [NESTED, '{"faults": ' + NESTED + "}", '{"a":' * 900 + "1" + "}" * 900])
def test_json_nested_deep_is_refused_at_the_control_address(sim: Simulator, body: str) -> None:
    assert httpx.post(f"{sim.url}/_simulator/faults", content=body).status_code == 400


@pytest.mark.parametrize("body", [NESTED, '{"prompt": ' + NESTED + "}"])
def test_json_nested_deep_is_refused_as_a_prompt_and_can_be_listed(
    sim: Simulator, http: httpx.Client, body: str
) -> None:
    response = http.post("/v1/images/generations", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert http.get("/_simulator/requests").json()["requests"][0]["status"] == 400


@pytest.mark.parametrize("path", ["/_simulator/faults", "/v1/images/generations"])
def test_a_body_of_80_mb_is_refused_without_reading_it(sim: Simulator, path: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 80000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", sim.port), timeout=30) as client:
        client.sendall(head.encode() + b"{")
        assert b" 413 " in client.recv(4096).partition(b"\r\n")[0]


def test_a_body_of_unknown_length_is_not_read_to_its_end(sim: Simulator) -> None:
    head = b"POST /_simulator/faults HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", sim.port), timeout=30) as client:
        client.sendall(head)
        try:
            for _ in range(80):
                client.sendall(b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n")
                sent += 1
        except OSError:
            pass
    assert sent < 80


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert Simulator(host="::1").url.startswith("http://[::1]:")
