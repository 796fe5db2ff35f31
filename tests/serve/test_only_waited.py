"""A request that only waits for its turn has bought nothing: who waits is told so when the gateway ends at once, and it
is given up when nobody waits for it any more."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateways import FOR_AGENTS, SMALL, Running, running_gateway

from flowdsl.journal.journal import Journal

pytestmark = pytest.mark.long

ONE_PLACE = 'concurrency = 1\n[serve]\nflows = ["kite.flow.yaml"]\n'
FLOW = """\
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "A flow's kite"}
"""
KEPT = {"protocolVersion": "2026-07-28", "clientCapabilities": {}}
CALL = {"name": "kite", "_meta": {f"io.modelcontextprotocol/{key}": value for key, value in KEPT.items()}}
AGENT = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "kite",
}
IMAGES = "/v1/images/generations"
ASKED: Mapping[str, tuple[str, Any, Mapping[str, str]]] = {
    "pictures": (IMAGES, {**SMALL, "prompt": "A kite"}, {}),
    "pictures with a key": (IMAGES, {**SMALL, "prompt": "A kite"}, {"Idempotency-Key": "one"}),
    "a stream of pictures": (IMAGES, {**SMALL, "prompt": "A kite", "stream": True}, {}),
    "a flow": ("/flows/kite/runs", {}, {}),
    "the events of a flow": ("/flows/kite/runs", {}, {"Accept": "text/event-stream"}),
    "a tool of an agent": ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}, AGENT),
}
KINDS = [pytest.param(kind, marks=FOR_AGENTS) if "agent" in kind else kind for kind in ASKED]


def until(condition: Callable[[], Any]) -> None:
    """Waits for something that comes."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def in_flight(gateway: Running) -> int:
    """How much it works on."""
    found = re.search(r"in_flight (\d+)", httpx.get(f"{gateway.url}/metrics").text)
    assert found is not None
    return int(found[1])


def ask(gateway: Running, kind: str, **options: Any) -> httpx.Response:
    """The response to a request of a kind."""
    path, body, headers = ASKED[kind]
    return httpx.post(f"{gateway.url}{path}", json=body, headers=headers, **{"timeout": 60, **options})


def signalled_twice(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends it as two signals do."""
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "disabled", False)  # put back after the test
    for _ in range(2):
        gateway.server.handle_exit(signal.SIGTERM, None)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """What it says went wrong, in its body or in the last event of it."""
    lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
    error: dict[str, Any] = json.loads(lines[-1].removeprefix("data: ") if lines else response.text)["error"]
    return error


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_waited_when_the_gateway_was_ended_is_told_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "kite.flow.yaml").write_text(FLOW, encoding="utf-8")
    with (
        running_gateway(tmp_path, ONE_PLACE, faults=["hang:*"]) as gateway,
        ThreadPoolExecutor(2) as pool,
    ):
        sent = pool.submit(gateway.post, {**SMALL, "prompt": "The first"})
        until(lambda: gateway.bought == 1)
        waiting = pool.submit(ask, gateway, kind)
        until(lambda: in_flight(gateway) == 2)
        signalled_twice(gateway, monkeypatch)
        error = error_of(waiting.result())
        assert (error["code"], error.get("charge_possible", False)) == ("gateway_ended", False), error
        assert "x-should-retry" not in waiting.result().headers and "send it again" in error["message"]
        error = error_of(sent.result())
        assert (error["code"], error["charge_possible"]) == ("gateway_ended", True)
        assert gateway.bought == 1
    with Journal(tmp_path / "state") as journal:
        assert [(run.status, run.in_doubt) for run in journal.runs.all()] == [("cancelled", 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_sent_when_the_gateway_was_ended_is_told_as_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "kite.flow.yaml").write_text(FLOW, encoding="utf-8")
    with running_gateway(tmp_path, ONE_PLACE, faults=["hang:*"]) as gateway, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(ask, gateway, kind)
        until(lambda: gateway.bought == 1)
        signalled_twice(gateway, monkeypatch)
        error = error_of(sent.result())
        assert (error["code"], error["charge_possible"]) == ("gateway_ended", True)


@pytest.mark.parametrize("kind", ["pictures", "pictures with a key", "a stream of pictures", "a tool of an agent"])
def test_what_only_waits_is_given_up_when_its_client_goes_away(tmp_path: Path, kind: str) -> None:
    (tmp_path / "kite.flow.yaml").write_text(FLOW, encoding="utf-8")
    with (
        running_gateway(tmp_path, ONE_PLACE, faults=["slow,delay_s=1.5"]) as gateway,
        ThreadPoolExecutor(1) as pool,
    ):
        sent = pool.submit(gateway.post, {**SMALL, "prompt": "The first"})
        until(lambda: gateway.bought == 1)
        with pytest.raises(httpx.ReadTimeout):
            ask(gateway, kind, timeout=0.3)
        until(lambda: in_flight(gateway) == 1)
        assert sent.result().status_code == 200 and gateway.bought == 1
        until(lambda: any('"status": 499' in line or "was given up: 0 pictures" in line for line in gateway.log))
        (kept,) = gateway.journal.runs.all()
        assert (kept.paid, kept.in_doubt) == (1, 0)
        again = ask(gateway, kind)
        assert again.status_code == 200 and gateway.bought == 2


def test_what_two_clients_wait_for_is_made_for_the_one_that_stays(tmp_path: Path) -> None:
    with (
        running_gateway(tmp_path, "concurrency = 1\n", faults=["slow,delay_s=1"]) as gateway,
        ThreadPoolExecutor(2) as pool,
    ):
        pool.submit(gateway.post, {**SMALL, "prompt": "The first"})
        until(lambda: gateway.bought == 1)
        stays = pool.submit(ask, gateway, "pictures with a key")
        with pytest.raises(httpx.ReadTimeout):
            ask(gateway, "pictures with a key", timeout=0.3)
        assert stays.result().status_code == 200 and gateway.bought == 2


def test_what_nobody_waits_for_any_more_when_its_form_is_read_is_not_begun(tmp_path: Path) -> None:
    picture = os.urandom(3 * 1024 * 1024)  # four of them take a moment, and threads, to be read
    form = httpx.Request(
        "POST",
        "http://127.0.0.1/v1/images/edits",
        data={**SMALL, "prompt": "A kite"},
        files=[("image[]", (f"{number}.png", picture, "image/png")) for number in range(4)],
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in form.headers.items())
    sent = f"POST /v1/images/edits HTTP/1.1\r\n{head}\r\n".encode() + form.read()
    with running_gateway(tmp_path) as gateway:
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", gateway.server.port)) as client:
                client.sendall(sent)
        until(lambda: len(gateway.log) == 6)
        assert [json.loads(line)["status"] for line in gateway.log] == [499] * 6
        assert gateway.bought == 0


def test_what_was_sent_is_made_also_when_its_client_goes_away(tmp_path: Path) -> None:
    with running_gateway(tmp_path, faults=["slow,delay_s=0.5"]) as gateway:
        with pytest.raises(httpx.ReadTimeout):
            ask(gateway, "pictures with a key", timeout=0.2)
        assert ask(gateway, "pictures with a key").status_code == 200 and gateway.bought == 1


def test_a_key_that_is_given_up_and_asked_for_again_again_and_again_is_bought_once(tmp_path: Path) -> None:
    with (
        running_gateway(tmp_path, "concurrency = 1\n", latency_s=0.05) as gateway,
        ThreadPoolExecutor(8) as pool,
    ):

        def asked(number: int) -> bool:
            try:
                return ask(gateway, "pictures with a key", timeout=0.01 * (number % 20)).status_code == 200
            except httpx.TransportError:
                return False

        others = [pool.submit(gateway.post, {**SMALL, "prompt": f"Another {number}"}) for number in range(8)]
        [*pool.map(asked, range(1, 60))]
        assert ask(gateway, "pictures with a key").status_code == 200
        assert all(each.result().status_code == 200 for each in others) and gateway.bought == 9
        until(lambda: in_flight(gateway) == 0)
        assert {(run.status, run.paid) for run in gateway.journal.runs.all()} == {("done", 1)}
