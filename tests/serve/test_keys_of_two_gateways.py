"""Two gateways on one folder, as the workers of one: a key that both are asked with is bought once, whoever is first,
and all get the same picture."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateways import SMALL, Running, running_gateway

from flowdsl.serve.elsewhere import place_of
from flowdsl_steps.image.simulator import Simulator, parse_fault

BODY = {**SMALL, "model": "kite", "prompt": "A red kite"}
SETTINGS = '[routes.kite]\nservice = "a/gpt-image-2"\non_refused = "b/gpt-image-2"\n'
FLOW = """\
flow:
  - {step: OPENAI_IMAGE_GENERATION, service: b, model: gpt-image-2, quality: low, instruction: "A kite"}
outputs: {pictures: "{{ flowContext.imageList }}"}
"""


@contextmanager
def two(folder: Path, *services: Simulator) -> Iterator[list[Running]]:
    """Two gateways before the services `a` and `b`."""
    (folder / "kite.flow.yaml").write_text(FLOW, encoding="utf-8")
    (folder / "waiting.flow.yaml").write_text("flow: [{step: SLEEP, delay: 60000}]\n", encoding="utf-8")
    entries = {
        name: {"provider": "openai", "endpoint": each.openai_base_url, "apiKey": each.key, "maxRetries": 0}
        for name, each in zip("ab", services, strict=True)
    }
    with ExitStack() as stack:
        settings = f'serve = {{flows = ["kite.flow.yaml", "waiting.flow.yaml"]}}\n{SETTINGS}'
        yield [stack.enter_context(running_gateway(folder, settings, services=entries)) for _ in range(2)]


def at_both(gateways: list[Running], path: str, body: Any, key: str, pause_s: float = 0.0) -> list[httpx.Response]:
    """The responses to one request that is sent to both, eight times to each, to the second after a pause."""

    def ask(number: int) -> httpx.Response:
        time.sleep(number % 2 * pause_s)
        return gateways[number % 2].post(body, path, headers={"Idempotency-Key": key})

    with ThreadPoolExecutor(16) as pool:
        return [*pool.map(ask, range(16))]


@pytest.mark.long
def test_a_key_that_went_on_to_the_next_service_is_not_bought_at_the_first_by_another_process(tmp_path: Path) -> None:
    refusing, slow = parse_fault("quota,delay_s=0.4"), parse_fault("slow,delay_s=0.4")
    with (
        Simulator(plain=True, key="sk-a", faults=[refusing]) as first,
        Simulator(plain=True, key="sk-b", faults=[slow]) as spare,
        two(tmp_path, first, spare) as gateways,
    ):
        found = at_both(gateways, "/v1/images/generations", BODY, "routed", pause_s=0.2)
        assert [each.status_code for each in found] == [200] * 16
        assert len({each.json()["data"][0]["b64_json"] for each in found}) == 1
        assert (first.request_count, spare.request_count) == (1, 1)


@pytest.mark.long
def test_a_key_that_another_process_works_on_for_long_is_waited_for(tmp_path: Path) -> None:
    with (
        Simulator(plain=True, key="sk-a", faults=[parse_fault("slow,delay_s=3")]) as first,
        Simulator(plain=True, key="sk-b", faults=[parse_fault("slow,delay_s=3")]) as spare,
        two(tmp_path, first, spare) as gateways,
    ):
        found = at_both(gateways, "/v1/images/generations", BODY, "slow")
        assert [each.status_code for each in found] == [200] * 16
        assert len({each.json()["data"][0]["b64_json"] for each in found}) == 1
        runs = at_both(gateways, "/flows/kite/runs", {}, "slow")
        assert [each.status_code for each in runs] == [200] * 16
        assert len({(each.json()["run"], each.json()["images"][0]["sha256"]) for each in runs}) == 1
        assert (first.request_count, spare.request_count) == (1, 1)


@pytest.mark.long
def test_a_run_of_another_process_is_found_and_ended_by_its_address(tmp_path: Path) -> None:
    with (
        Simulator(plain=True, key="sk-a") as first,
        Simulator(plain=True, key="sk-b", faults=["hang"]) as spare,
        two(tmp_path, first, spare) as (here, there),
    ):
        for flow, bought in (("waiting", 0), ("kite", 1)):
            began = here.post({}, f"/flows/{flow}/runs", headers={"Prefer": "respond-async"})
            where = f"{there.url}{began.headers['location']}"
            while spare.request_count < bought:
                time.sleep(0.01)
            assert httpx.get(where).json()["status"] == "running"
            assert httpx.get(f"{where}/events").json()["error"]["code"] == "run_of_another_process"
            ended = httpx.post(f"{where}/cancel", timeout=30)
            assert (ended.status_code, ended.json()["status"]) == (200, "cancelled"), ended.text
            assert httpx.get(f"{here.url}{began.headers['location']}").json()["status"] == "cancelled"
        assert httpx.get(f"{there.url}/runs/no%00thing").status_code == 404


@pytest.mark.long
def test_a_key_is_for_one_request_also_where_two_are_asked_at_the_same_time(tmp_path: Path) -> None:
    with (
        Simulator(plain=True, key="sk-a", faults=[parse_fault("slow,delay_s=0.3")]) as first,
        Simulator(plain=True, key="sk-b") as spare,
        two(tmp_path, first, spare) as gateways,
        ThreadPoolExecutor(2) as pool,
    ):
        bodies = [{**BODY, "prompt": prompt} for prompt in ("A red kite", "A blue kite")]
        key = {"Idempotency-Key": "one"}
        found = [*pool.map(lambda at: gateways[at].post(bodies[at], headers=key).status_code, range(2))]
        assert sorted(found) == [200, 422] and first.request_count + spare.request_count == 1


@pytest.mark.long
def test_a_run_that_waits_for_another_process_with_its_key_is_cancelled_in_both(tmp_path: Path) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": "both"}
    with Simulator(plain=True, key="sk-a") as service, two(tmp_path, service, service) as (here, there):
        where = here.post({}, "/flows/waiting/runs", headers=headers).headers["location"]
        assert there.post({}, "/flows/waiting/runs", headers=headers).headers["location"] == where
        assert httpx.post(f"{there.url}{where}/cancel", timeout=30).json()["status"] == "cancelled"
        assert httpx.get(f"{here.url}{where}").json()["status"] == "cancelled"


@pytest.mark.long
def test_a_cancellation_whose_process_was_killed_does_not_end_the_next_run_of_its_key(tmp_path: Path) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": "left"}
    with Simulator(plain=True, key="sk-a") as service, two(tmp_path, service, service) as (here, _):
        id = here.post({}, "/flows/waiting/runs", headers=headers).json()["run"]
        httpx.post(f"{here.url}/runs/{id}/cancel", timeout=30)
        left = here.journal.folder / "ending" / place_of(id, "")
        left.parent.mkdir(exist_ok=True)
        left.touch()
        os.utime(left, (0, 0))
        assert here.post({}, "/flows/waiting/runs", headers=headers).json()["run"] == id
        while left.exists():
            time.sleep(0.01)
        assert httpx.get(f"{here.url}/runs/{id}").json()["status"] == "running"
        httpx.post(f"{here.url}/runs/{id}/cancel", timeout=30)
