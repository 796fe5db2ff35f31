"""The server around the simulated API: life, keys, records, clocks."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import httpx
import pytest

from flowdsl.errors import UsageError
from flowdsl_steps.image.simulator import RecordedRequest, Simulator, serve_forever
from flowdsl_steps.image.simulator.app import ImagesApi
from flowdsl_steps.image.simulator.state import State
from flowdsl_steps.image.simulator.testing import simulator  # noqa: F401  the fixture under test

BODY = {"prompt": "a red fox", "model": "dall-e-2", "size": "256x256"}


def ask(sim: Simulator, body: object = None, headers: dict[str, str] | None = None, **more: float) -> httpx.Response:
    return httpx.post(
        f"{sim.openai_base_url}/images/generations",
        json=body or BODY,
        headers=headers or {"authorization": f"Bearer {sim.key}"},
        timeout=more.get("timeout", 60),
    )


DESCRIPTORS = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")


def open_sockets() -> set[str]:
    found = set()
    for descriptor in DESCRIPTORS.iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile, or is no link
            found.add(str(descriptor.readlink()))
    return {link for link in found if link.startswith("socket:")}


def test_it_starts_and_stops_five_times_without_leaving_anything() -> None:
    threads, sockets = {*threading.enumerate()}, open_sockets()
    sim = Simulator()
    ports = []
    for _ in range(5):
        with sim:
            assert ask(sim).status_code == 200
            ports.append(sim.port)
    assert len(set(ports)) == 1
    assert {*threading.enumerate()} <= threads and open_sockets() <= sockets  # what tests before left may go


def stopped(sim: Simulator) -> None:
    """Stops it, and sees that it broke off what waits: it would wait for a minute."""
    assert sim._server is not None
    sim._server.config.timeout_graceful_shutdown = 60
    began = time.monotonic()
    sim.stop()
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("kind", ["hang", "slow,delay_s=60"])
def test_it_stops_at_once_while_requests_wait(kind: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        sim = Simulator(faults=[f"{kind},times=*"]).start()
        waiting = [pool.submit(ask, sim) for _ in range(4)]
        wait_until(lambda: [record.fault for record in sim.requests] == [kind.partition(",")[0]] * 4)
        stopped(sim)
        errors = [future.exception(timeout=30) for future in waiting]
        assert all(isinstance(error, httpx.TransportError) for error in errors)


def test_it_stops_while_a_client_does_not_read() -> None:
    sim = Simulator(payload_bytes=8_000_000).start()
    with socket.create_connection(("127.0.0.1", sim.port)) as lazy:
        lazy.sendall(raw_request(sim))
        wait_until(lambda: [record.status for record in sim.requests] == [200])
        stopped(sim)


def raw_request(sim: Simulator) -> bytes:
    body = b'{"prompt": "x", "model": "gpt-image-2"}'
    head = f"POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {sim.key}\r\n"
    return head.encode() + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_asynchronous_form_stops_too() -> None:
    async def once() -> str:
        async with Simulator() as sim:
            url = f"{sim.openai_base_url}/models"
            return (await asyncio.to_thread(httpx.get, url, headers={"authorization": f"Bearer {sim.key}"})).text

    assert '"gpt-image-2"' in asyncio.run(once())


def test_a_taken_port_and_a_second_start_are_refused() -> None:
    with Simulator() as sim:
        with pytest.raises(UsageError, match=rf"The simulator cannot listen on 127.0.0.1:{sim.port}: .*in use"):
            Simulator(sim.port).start()
        with pytest.raises(UsageError, match="The simulator runs already"):
            sim.start()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as raised:
        Simulator()
    assert str(raised.value) == "The simulator needs uvicorn and Pillow: pip install 'flowdsl[simulator]'"


def test_importing_it_loads_neither_pillow_nor_uvicorn() -> None:
    code = "import sys, flowdsl_steps.image.simulator; print({'PIL', 'uvicorn', 'httpx'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


def test_no_key_is_ever_recorded() -> None:
    own, presented = "sk-own-0123", "sk-presented-4567"
    with Simulator(key=own) as sim:
        for key in (own, presented):
            body = {**BODY, "prompt": f"{own} {presented}", "user": key}
            for headers in ({"authorization": f"Bearer {key}"}, {"api-key": key, "cookie": key}):
                ask(sim, body, {**headers, "x-note": f"{own}"})
            httpx.get(f"{sim.url}/v1/models/{key}?api-key={key}&x={own}", headers={"authorization": f"Bearer {key}"})
        listed = httpx.get(f"{sim.url}/_simulator/requests").text
        assert len(sim.requests) == 6
        assert own not in repr(sim.requests) + listed
        assert sim.requests[0].json == {**BODY, "prompt": f"*** {presented}", "user": "***"}
        by_stranger = [record for record in sim.requests if record.status == 401]
        assert len(by_stranger) == 3
        assert presented not in repr([record.headers for record in sim.requests])


def test_any_key_will_do_when_there_is_no_right_one() -> None:
    with Simulator(key=None) as sim:
        assert ask(sim, headers={"authorization": "Bearer anything"}).status_code == 200
        missing = ask(sim, headers={"x-nothing": ""})
        assert missing.status_code == 401
        assert missing.json()["error"]["code"] == "invalid_api_key"


def test_requests_are_recorded_with_what_became_of_them(simulator: Simulator) -> None:  # noqa: F811  the fixture
    key = {"authorization": f"Bearer {simulator.key}"}
    ask(simulator, headers={**key, "x-target": "gemini"})
    ask(simulator, {**BODY, "model": "nope"})
    first, second = simulator.requests
    assert isinstance(first, RecordedRequest)
    assert (first.method, first.path, first.query) == ("POST", "/v1/images/generations", {})
    assert (first.headers["x-target"], first.headers["authorization"]) == ("gemini", "***")
    assert (first.json, first.status, second.status) == (BODY, 200, 404)
    assert abs(first.time - time.time()) < 60
    simulator.reset()
    assert (simulator.requests, simulator.request_count) == ((), 0)


def test_only_requests_for_images_are_counted() -> None:
    with Simulator() as sim:
        url = ask(sim).json()["data"][0]["url"]
        httpx.get(url)
        listed = httpx.get(f"{sim.url}/_simulator/requests").json()
        assert (sim.request_count, listed["count"], len(listed["requests"])) == (1, 1, 2)
        assert listed["requests"][0]["json"] == BODY


def test_the_peak_of_concurrency_is_known() -> None:
    with Simulator(latency_s=0.2) as sim, ThreadPoolExecutor(3) as pool:
        responses = list(pool.map(lambda _: ask(sim), range(3)))
        assert [response.status_code for response in responses] == [200] * 3
        assert sim.peak_concurrency == 3
        ask(sim)
        assert sim.peak_concurrency == 3


def test_a_url_expires_after_an_hour_of_the_simulators_clock() -> None:
    now = [1_800_000_000.0]
    with Simulator(clock=lambda: now[0]) as sim:
        response = ask(sim).json()
        url = response["data"][0]["url"]
        assert response["created"] == 1_800_000_000
        now[0] += 3599
        assert httpx.get(url).status_code == 200
        now[0] += 1
        expired = httpx.get(url)
        assert (expired.status_code, expired.headers["content-type"]) == (403, "application/xml")
        assert httpx.get(url.replace("img-", "img-0")).status_code == 404


def test_retired_and_future_models_are_gone_on_a_given_day() -> None:
    def served(day: date) -> set[str]:
        with Simulator(as_of=day) as sim:
            listed = httpx.get(f"{sim.openai_base_url}/models", headers={"authorization": f"Bearer {sim.key}"})
            if day >= date(2026, 5, 12):
                refused = ask(sim)
                assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
            return {model["id"] for model in listed.json()["data"]}

    assert {"dall-e-3", "gpt-image-1", "gpt-image-2"} <= served(date(2026, 5, 11))
    today = served(date(2026, 11, 21))
    assert today & {"dall-e-3", "dall-e-2", "gpt-image-1"} == set()
    assert {"gpt-image-1.5", "gpt-image-2.6-flare"} <= today
    assert "gpt-image-1.5" not in served(date(2026, 12, 1))


def test_deployments_are_configurable_and_must_name_a_known_model() -> None:
    with Simulator(deployments={"team-pictures": "gpt-image-1.5"}) as sim:
        url = f"{sim.azure_endpoint}/openai/deployments/team-pictures/images/generations?api-version=2025-04-01-preview"
        response = httpx.post(url, json={"prompt": "x"}, headers={"api-key": sim.key})
        assert response.json()["usage"]["output_tokens"] == 4160
    with pytest.raises(UsageError, match=r"Deployment 'x': unknown model 'gpt-imag-2'. Known: dall-e-2, dall-e-3, "):
        Simulator(deployments={"x": "gpt-imag-2"})


def test_request_ids_repeat_from_run_to_run() -> None:
    def identity() -> str:
        with Simulator() as sim:
            return str(ask(sim).headers["x-request-id"])

    assert identity() == identity()


def test_the_application_runs_without_a_socket() -> None:
    async def call(fault: str) -> int:
        api = ImagesApi(State(faults=[fault]))
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"authorization": "Bearer sk-simulated"}
            return (await client.post("/v1/images/generations", json=BODY, headers=headers)).status_code

    assert asyncio.run(call("none")) == 200
    with pytest.raises(ConnectionResetError, match="the simulator resets this connection"):
        asyncio.run(call("reset_before_body"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_prints_its_url_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", "flowdsl_steps.image.simulator", "--payload-bytes", "300000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        response = httpx.post(
            f"{url}/v1/images/generations", json=BODY, headers={"authorization": "Bearer sk-simulated"}, timeout=60
        )
        assert len(httpx.get(response.json()["data"][0]["url"]).content) == 300_000
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest, errors) == (0, "", "")


def test_wrong_usage_of_the_process_is_explained() -> None:
    command = [sys.executable, "-m", "flowdsl_steps.image.simulator", "--fault", "hnag"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (2, "Unknown fault 'hnag'. Did you mean 'hang'?\n")


def test_serving_in_a_thread_of_ones_own_prints_the_url() -> None:
    sim, urls, ready = Simulator(), list[str](), threading.Event()

    def note(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(target=serve_forever, args=(sim, note), daemon=True)
    thread.start()
    assert ready.wait(30)
    assert urls == [sim.url]
    assert ask(sim).status_code == 200
    sim.stop()
    thread.join()
    assert not thread.is_alive()
