"""Several processes of a gateway are one: what a token may do is exact, a key is bought once, and a worker that is
killed is replaced."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from gateway_processes import BODY, CONNECTIONS, ask, children, gateway, until

from flowdsl.journal.journal import Journal
from flowdsl.serve.metrics import SHARED_EVERY_S
from flowdsl.serve.tokens import Tokens
from flowdsl_steps.image.simulator import Simulator


@pytest.mark.usefixtures("noon")
@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_a_budget_a_rate_and_a_key_are_exact_over_two_workers(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "state")
    rate = tokens.create("rate", per_minute=20)
    with Simulator(plain=True) as service:
        price = float(_price(tmp_path, service, tokens.create("price")))
        money = tokens.create("money", usd_per_day=10 * price)
        key = tokens.create("key")
        with gateway(tmp_path, names(service), 2) as (_, url), ThreadPoolExecutor(CONNECTIONS) as pool:
            before = service.request_count
            began = time.monotonic()
            found = Counter(each.status_code for each in pool.map(lambda _: ask(url, rate), range(CONNECTIONS)))
            more = int((time.monotonic() - began) / 3)  # one is allowed again every three seconds
            assert found[200] + found[429] == CONNECTIONS and 20 <= found[200] <= 20 + more
            assert service.request_count == before + found[200]
            before = service.request_count
            found = Counter(each.status_code for each in pool.map(lambda _: ask(url, money), range(CONNECTIONS)))
            assert found[200] == service.request_count - before and 5 <= found[200] <= 10
            before = service.request_count
            keyed = [*pool.map(lambda _: ask(url, key, **{"Idempotency-Key": "one"}), range(CONNECTIONS))]
            assert {each.status_code for each in keyed} == {200} and service.request_count == before + 1
            assert len({each.json()["data"][0]["b64_json"] for each in keyed}) == 1


@pytest.mark.usefixtures("noon")
def test_a_token_spends_what_workers_had_set_aside_for_requests_that_waited_when_they_were_killed(
    tmp_path: Path,
) -> None:
    token = Tokens(tmp_path / "state").create("money", usd_per_day=0.5)
    entry = "prices = 0.05\nrateLimit = 120\n"
    with Simulator(plain=True) as service, gateway(tmp_path, names(service), 2, entry=entry) as (process, url):
        with ThreadPoolExecutor(10) as pool:
            asked = [pool.submit(ask, url, token) for _ in range(10)]  # again where a worker was killed
            until(lambda: service.request_count >= 2)
            for worker in children(process):
                os.kill(worker, signal.SIGKILL)
            assert {each.result().status_code for each in asked} <= {200, 429}
        while ask(url, token).status_code == 200:
            pass
        sent = service.request_count
    with Journal(tmp_path / "state") as journal:
        assert sent <= len(journal.database.read("SELECT id FROM ledger WHERE state != 'refused'")) == 10


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_in_order_what_nobody_is_connected_for(
    tmp_path: Path, workers: int, sent: signal.Signals
) -> None:
    step = "{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: A kite}"
    (tmp_path / "kite.flow.yaml").write_text(f"flow:\n  - {step}\n", encoding="utf-8")
    flows = 'flows = ["kite.flow.yaml"]\n'
    with (
        Simulator(plain=True, faults=["hang"]) as service,
        gateway(tmp_path, names(service), workers, served=flows) as (process, url),
    ):
        began = httpx.post(f"{url}/flows/kite/runs", json={}, headers={"Prefer": "respond-async"}, timeout=60)
        assert began.status_code == 202
        until(lambda: service.request_count == 1)
        process.send_signal(sent)
        time.sleep(1)  # nobody is connected: nothing is left but the run
        with pytest.raises(httpx.ConnectError):  # nor does anybody wait to be
            httpx.get(f"{url}/healthz", timeout=5)
        process.send_signal(sent)
        assert process.wait(20) == 4
    assert "1 request was still going on" in (tmp_path / "errors").read_text(encoding="utf-8")
    with Journal(tmp_path / "state") as journal:
        assert [(run.status, run.in_doubt) for run in journal.runs.all()] == [("cancelled", 1)]


def names(service: Simulator) -> dict[str, str]:
    """The variables that name a service."""
    return {"OPENAI_BASE_URL": service.openai_base_url, "OPENAI_API_KEY": service.key}


def _price(folder: Path, service: Simulator, token: str) -> str:
    """What a picture costs."""
    with gateway(folder, names(service), 1) as (_, url):
        return ask(url, token).headers["x-flowdsl-cost-usd"]


@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_nothing_is_bought_twice_for_a_key_when_workers_are_killed_under_load(tmp_path: Path) -> None:
    token = Tokens(tmp_path / "state").create("load")
    with (
        Simulator(plain=True, latency_s=0.05) as service,
        gateway(tmp_path, names(service), 2) as (process, url),
        ThreadPoolExecutor(16) as pool,
    ):
        waiting = [pool.submit(ask, url, token, **{"Idempotency-Key": str(number)}) for number in range(80)]
        for done in (10, 25, 40):
            until(lambda done=done: sum(each.done() for each in waiting) >= done and len(children(process)) == 2)
            os.kill(children(process)[0], signal.SIGKILL)
        found = Counter(each.result().status_code for each in waiting)
        assert set(found) <= {200, 409} and found[200] >= 40  # 409: it was on its way, and is in doubt
        assert service.request_count <= 80
        again = Counter(ask(url, token, **{"Idempotency-Key": str(number)}).status_code for number in range(80))
        assert again == found and service.request_count <= 80


def counted(url: str) -> dict[str, float]:
    """What /metrics says of pictures."""
    text = httpx.get(f"{url}/metrics").text
    found = re.findall(
        r"^flowdsl_gateway_((?:requests|images|cost_usd)_total)\{.*(?:generations|model).*\} (\S+)$", text, re.M
    )
    return {name: float(value) for name, value in found}


@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_the_counts_are_of_all_workers_and_of_those_that_were_killed(tmp_path: Path) -> None:
    number = 24
    with (
        Simulator(plain=True) as service,
        gateway(tmp_path, names(service), 2) as (process, url),
        ThreadPoolExecutor(8) as pool,
    ):
        found = [*pool.map(lambda _: ask(url), range(number))]
        usd = sum(float(each.headers["x-flowdsl-cost-usd"]) for each in found)
        whole = {"requests_total": number, "images_total": number, "cost_usd_total": pytest.approx(usd)}
        until(lambda: counted(url) == whole)
        time.sleep(2 * SHARED_EVERY_S)
        assert [counted(url) for _ in range(8)] == [whole] * 8
        for worker in children(process):
            os.kill(worker, signal.SIGKILL)
            until(lambda worker=worker: len(now := children(process)) == 2 and worker not in now)
            until(lambda: responds(url))
            assert [counted(url) for _ in range(8)] == [whole] * 8
        assert ask(url).status_code == 200
        until(lambda: counted(url)["images_total"] == number + 1)


def responds(url: str) -> bool:
    """Whether somebody listens to each of some requests."""
    with suppress(httpx.TransportError):
        return all(httpx.get(f"{url}/healthz").status_code == 200 for _ in range(8))
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_workers_end_with_the_process_that_looks_after_them(tmp_path: Path) -> None:
    with Simulator(plain=True) as service, gateway(tmp_path, names(service), 2) as (process, url):
        workers = children(process)
        process.kill()
        until(lambda: not any(Path(f"/proc/{each}/cmdline").exists() and lives(each) for each in workers))
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/healthz")


def lives(pid: int) -> bool:
    """Whether a process goes on."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_a_signal_that_comes_while_workers_are_begun_ends_them_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flowdsl.cli", "serve", "--port", "0", "--workers", "64", "--simulate"]
    own = {**os.environ, "FLOWDSL_STATE": str(tmp_path / "state")}
    with subprocess.Popen(command, cwd=tmp_path, env=own, stdout=subprocess.DEVNULL) as process:
        until(lambda: children(process) != [])
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_a_worker_that_is_killed_while_the_gateway_ends_is_told(tmp_path: Path) -> None:
    with (
        Simulator(plain=True, faults=["hang"]) as service,
        gateway(tmp_path, names(service), 2) as (process, url),
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(httpx.post, f"{url}/v1/images/generations", json=BODY, timeout=60)
        until(lambda: service.request_count == 1)
        process.terminate()
        until(lambda: len(children(process)) == 1)  # the other one had nothing to finish
        os.kill(children(process)[0], signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            waiting.result()
        assert process.wait(60) == 4
    said = (tmp_path / "errors").read_text()
    assert "a worker has ended (signal 9) unfinished: `flowdsl runs list` shows what may be paid for" in said
