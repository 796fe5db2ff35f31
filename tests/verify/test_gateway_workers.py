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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from flowdsl.serve.tokens import Tokens
from flowdsl_steps.image.simulator import Simulator

BODY = {"model": "gpt-image-2", "size": "1024x1024", "quality": "low", "prompt": "A red kite"}
CONNECTIONS = 64


@contextmanager
def gateway(folder: Path, service: Simulator, workers: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A gateway of several processes, and its address once all of them serve."""
    (folder / "flowdsl.toml").write_text('[serve]\n[services.OPENAI_IMAGE_GENERATION]\nprovider = "openai"\n')
    own = {"OPENAI_BASE_URL": service.openai_base_url, "OPENAI_API_KEY": service.key}
    own["FLOWDSL_STATE"] = str(folder / "state")
    command = [sys.executable, "-m", "flowdsl.cli", "serve", "--port", "0", "--workers", str(workers)]
    command += ["--as-of", "2026-11-21", "--allow-endpoint", service.openai_base_url]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ, **own}) as found:
        try:
            line = found.stdout.readline() if found.stdout else ""
            address = re.search(r"http://[\d.]+:\d+", line)
            assert address is not None, line
            httpx.get(f"{address[0]}/healthz", timeout=60)
            yield found, address[0]
        finally:
            found.terminate()
            found.wait()


def children(process: subprocess.Popen[str]) -> list[int]:
    """The workers."""
    found = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True, check=False
    )
    return [int(each) for each in found.stdout.split()]


def ask(url: str, token: str, **headers: str) -> httpx.Response:
    """The response to a request; it is sent again while another process works on its key, as clients do."""
    for _ in range(200):
        try:
            found = httpx.post(
                f"{url}/v1/images/generations",
                json=BODY,
                headers={"Authorization": f"Bearer {token}", **headers},
                timeout=120,
            )
        except httpx.TransportError:  # of a worker that was killed
            time.sleep(0.1)
            continue
        if found.status_code != 409 or found.json()["error"]["code"] != "idempotency_key_in_use":
            return found
        time.sleep(0.1)
    raise AssertionError("nobody responds")


@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_a_budget_a_rate_and_a_key_are_exact_over_two_workers(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "state")
    rate = tokens.create("rate", per_minute=20)
    with Simulator(plain=True) as service:
        price = float(_price(tmp_path, service, tokens.create("price")))
        money = tokens.create("money", usd_per_day=10 * price)
        key = tokens.create("key")
        with gateway(tmp_path, service, 2) as (_, url), ThreadPoolExecutor(CONNECTIONS) as pool:
            before = service.request_count
            found = Counter(each.status_code for each in pool.map(lambda _: ask(url, rate), range(CONNECTIONS)))
            assert found == {200: 20, 429: CONNECTIONS - 20} and service.request_count == before + 20
            before = service.request_count
            found = Counter(each.status_code for each in pool.map(lambda _: ask(url, money), range(CONNECTIONS)))
            assert found[200] == service.request_count - before and 5 <= found[200] <= 10
            before = service.request_count
            keyed = [*pool.map(lambda _: ask(url, key, **{"Idempotency-Key": "one"}), range(CONNECTIONS))]
            assert {each.status_code for each in keyed} == {200} and service.request_count == before + 1
            assert len({each.json()["data"][0]["b64_json"] for each in keyed}) == 1


def _price(folder: Path, service: Simulator, token: str) -> str:
    """What a picture costs."""
    with gateway(folder, service, 1) as (_, url):
        return ask(url, token).headers["x-flowdsl-cost-usd"]


@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_nothing_is_bought_twice_for_a_key_when_workers_are_killed_under_load(tmp_path: Path) -> None:
    token = Tokens(tmp_path / "state").create("load")
    with (
        Simulator(plain=True, latency_s=0.05) as service,
        gateway(tmp_path, service, 2) as (process, url),
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


@pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there")
def test_workers_end_with_the_process_that_looks_after_them(tmp_path: Path) -> None:
    with Simulator(plain=True) as service, gateway(tmp_path, service, 2) as (process, url):
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


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that comes."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
