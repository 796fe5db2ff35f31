"""A request with an idempotency key is bought once, whoever goes away meanwhile: the client, or the gateway."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest
from gateways import DAY, SMALL, Running, running_gateway
from PIL import Image

from flowdsl.cli import main
from flowdsl_steps.image.simulator import Simulator, parse_fault

pytestmark = pytest.mark.long

BODY = {**SMALL, "prompt": "A red kite"}


def keyed(key: str) -> dict[str, str]:
    """The header with a key."""
    return {"Idempotency-Key": key}


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that comes."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_repeated_key_gets_the_picture_that_was_bought(gateway: Running) -> None:
    before = gateway.bought
    first, again = (gateway.post(BODY, headers=keyed("repeated")) for _ in range(2))
    assert first.json()["data"] == again.json()["data"]
    assert gateway.bought == before + 1
    other = gateway.post(BODY, headers=keyed("another"))
    assert other.status_code == 200 and gateway.bought == before + 2


def test_an_edit_is_bought_once_for_its_key_and_another_picture_is_another_request(gateway: Running) -> None:
    before = gateway.bought

    def edited(color: str) -> httpx.Response:
        file = io.BytesIO()
        Image.new("RGB", (64, 64), color).save(file, "PNG")
        fields = {"prompt": "A kite", "model": SMALL["model"], "quality": "low"}
        files = {"image": ("a.png", file.getvalue(), "image/png")}
        return httpx.post(f"{gateway.url}/v1/images/edits", data=fields, files=files, headers=keyed("edit"), timeout=30)

    with ThreadPoolExecutor(4) as pool:
        found = [each.json()["data"] for each in pool.map(edited, ["red"] * 4)]
    assert all(each == found[0] for each in [*found, edited("red").json()["data"]]) and gateway.bought == before + 1
    assert (edited("blue").status_code, gateway.bought) == (422, before + 1)


def test_a_repetition_may_ask_for_links_in_place_of_bytes(gateway: Running) -> None:
    before = gateway.bought
    first = gateway.post(BODY, headers=keyed("links")).json()
    again = gateway.post({**BODY, "response_format": "url"}, headers=keyed("links")).json()
    picture = httpx.get(again["data"][0]["url"]).content
    assert picture == base64.b64decode(first["data"][0]["b64_json"]) and gateway.bought == before + 1


def test_requests_of_one_key_at_the_same_time_are_one_purchase(gateway: Running) -> None:
    before = gateway.bought
    gateway.simulator.faults.add(parse_fault("slow,delay_s=0.2"))
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda _: gateway.post(BODY, headers=keyed("together")).json()["data"], range(8))]
    assert all(each == found[0] for each in found) and gateway.bought == before + 1


def test_a_key_is_for_one_request_also_while_that_is_being_worked_on(gateway: Running) -> None:
    before = gateway.bought
    gateway.simulator.faults.add(parse_fault("slow,delay_s=0.5"))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gateway.post, BODY, headers=keyed("busy"))
        until(lambda: gateway.bought == before + 1)
        other = gateway.post({**BODY, "prompt": "A blue kite"}, headers=keyed("busy"))
        assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
        assert not first.done() and first.result().status_code == 200 and gateway.bought == before + 1


def test_a_key_is_for_one_request(gateway: Running) -> None:
    gateway.post(BODY, headers=keyed("taken"))
    before = gateway.bought
    found = gateway.post({**BODY, "prompt": "A blue kite"}, headers=keyed("taken"))
    assert (found.status_code, found.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert gateway.bought == before


def test_what_was_refused_is_asked_for_again_with_its_key(gateway: Running) -> None:
    gateway.simulator.faults.add(parse_fault("quota"))
    statuses = [gateway.post(BODY, headers=keyed("refused")).status_code for _ in range(3)]
    assert statuses == [429, 200, 200]


def test_what_may_be_bought_is_not_bought_again_with_its_key(gateway: Running) -> None:
    gateway.simulator.faults.add(parse_fault("server_error"))
    before = gateway.bought
    first, again = (gateway.post(BODY, headers=keyed("in doubt")) for _ in range(2))
    assert (first.status_code, again.status_code) == (502, 409)
    assert again.json()["error"]["code"] == "outcome_unknown" and again.headers["x-should-retry"] == "false"
    assert gateway.bought == before + 1


def test_a_request_in_doubt_is_sent_again_when_somebody_has_decided_that_and_by_its_client_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    with running_gateway(tmp_path, faults=["server_error"]) as gateway:
        assert gateway.post(BODY, headers=keyed("decided")).status_code == 502
        run = gateway.journal.runs.all()[0].id
        assert (main(["resume"]), main(["resume", run])) == (2, 2)
        said = capsys.readouterr().err
        assert "is unfinished" in said and "is a request to a gateway" in said
        assert (main(["runs", "release", run]), main(["runs", "show", run])) == (0, 0)
        said = capsys.readouterr().out
        assert said.count("by sending it again, with its Idempotency-Key") == 2 and "flowdsl resume" not in said
        assert gateway.post(BODY, headers=keyed("decided")).status_code == 200
        assert gateway.bought == 2


def test_the_picture_of_a_client_that_goes_away_is_kept_for_its_key(gateway: Running) -> None:
    gateway.simulator.faults.add(parse_fault("slow,delay_s=0.5"))
    before = gateway.bought
    content = json.dumps(BODY).encode()
    head = f"POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n"
    head += "Content-Type: application/json\r\nIdempotency-Key: gone\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection:
        connection.sendall(head.encode() + content)
        until(lambda: gateway.bought == before + 1)
    found = gateway.post(BODY, headers=keyed("gone"))
    assert found.status_code == 200 and gateway.bought == before + 1


def test_the_picture_of_a_stream_that_nobody_reads_on_is_kept(gateway: Running) -> None:
    before = gateway.bought
    client = gateway.client(default_headers=keyed("stream"))

    def ask() -> openai.Stream[openai.types.ImageGenStreamEvent]:
        return client.images.generate(prompt="A kite", stream=True, partial_images=3, **SMALL)

    with ask() as stream:
        next(iter(stream))
    until(lambda: httpx.get(f"{gateway.url}/readyz").json()["in_flight"] == 0)
    with ask() as stream:
        assert [event.type for event in stream] == ["image_generation.completed"]
    assert gateway.bought == before + 1


def test_a_key_buys_nothing_more_where_the_settings_have_changed_since(tmp_path: Path) -> None:
    with Simulator(plain=True, key="sk-a") as service:
        for size, status in (("1024x1024", 200), ("1536x1024", 409)):
            options = {"size": size, "quality": "low"}
            entry = {"provider": "openai", "endpoint": service.openai_base_url, "apiKey": "sk-a", "options": options}
            routes = '[routes]\nkite = "a/gpt-image-2"\n'
            with running_gateway(tmp_path, routes, services={"a": entry}) as gateway:
                found = gateway.post({"prompt": "A kite", "model": "kite"}, headers=keyed("changed"))
                assert found.status_code == status, found.text
        assert service.request_count == 1


def test_a_key_finds_what_the_second_service_of_a_route_has_bought(tmp_path: Path) -> None:
    with Simulator(plain=True, key="sk-b") as spare, Simulator(plain=True, key="sk-a", faults=["quota:1"]) as first:
        services = {
            name: {"provider": "openai", "endpoint": each.openai_base_url, "apiKey": each.key}
            for name, each in (("a", first), ("b", spare))
        }
        routes = '[routes.kite]\nservice = "a/gpt-image-2"\non_refused = "b/gpt-image-2"\n'
        with running_gateway(tmp_path, routes, services=services) as gateway:
            found = [gateway.post({**BODY, "model": "kite"}, headers=keyed("routed")).json()["data"] for _ in range(2)]
        assert found[0] == found[1] and (first.request_count, spare.request_count) == (1, 1)


@contextmanager
def process(folder: Path, service: Simulator) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of a gateway in front of a service."""
    (folder / "flowdsl.toml").write_text('[serve]\n[services.OPENAI_IMAGE_GENERATION]\nprovider = "openai"\n')
    own = {
        "OPENAI_BASE_URL": service.openai_base_url,
        "OPENAI_API_KEY": service.key,
        "FLOWDSL_STATE": str(folder / "s"),
    }
    command = [sys.executable, "-m", "flowdsl.cli", "serve", "--port", "0", "--as-of", DAY.isoformat()]
    command += ["--allow-endpoint", service.openai_base_url]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ, **own}) as found:
        try:
            line = found.stdout.readline() if found.stdout else ""
            address = re.search(r"http://[\d.]+:\d+", line)
            assert address is not None and "simulated" not in line, line
            yield found, address[0]
        finally:
            found.kill()


def test_what_was_bought_before_the_gateway_was_killed_is_found_by_its_key(tmp_path: Path) -> None:
    with Simulator(plain=True, as_of=DAY) as service:
        found = []
        for _ in range(2):
            with (
                process(tmp_path, service) as (gateway, url),
                openai.OpenAI(base_url=f"{url}/v1", api_key="-") as client,
            ):
                made = client.images.generate(**BODY, extra_headers=keyed("killed"))
                gateway.send_signal(signal.SIGKILL)
                found.append(made.data[0].b64_json if made.data else None)
        assert found[0] and found[0] == found[1] and service.request_count == 1


def test_what_was_under_way_when_the_gateway_was_killed_is_in_doubt_and_not_bought_again(tmp_path: Path) -> None:
    with Simulator(plain=True, as_of=DAY, faults=["hang"]) as service:
        with process(tmp_path, service) as (gateway, url), ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lambda: httpx.post(f"{url}/v1/images/generations", json=BODY, headers=keyed("hung")))
            until(lambda: service.request_count == 1)
            gateway.send_signal(signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                waiting.result()
        with process(tmp_path, service) as (_, url):
            again = httpx.post(f"{url}/v1/images/generations", json=BODY, headers=keyed("hung"))
        assert (again.status_code, again.json()["error"]["code"]) == (409, "outcome_unknown"), again.text
        assert service.request_count == 1
