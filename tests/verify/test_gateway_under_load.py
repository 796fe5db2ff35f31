"""A gateway of two processes under load from 64 connections, one of which is killed again and again: what a token and a
project may spend is exact to the cent, each key is bought once, and what is in doubt is told.

`FLOWDSL_ASKED` says how many requests there are; `make soak` asks for more of them. `FLOWDSL_SEED` draws others.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import httpx
import pytest
from counting_service import FLAKY, LOST, CountingService
from gateway_processes import CONNECTIONS, ask, children, gateway, until

from flowdsl.journal.journal import Journal
from flowdsl.serve.tokens import Tokens

ASKED = int(os.environ.get("FLOWDSL_ASKED", "240"))
SEED = int(os.environ.get("FLOWDSL_SEED", "1"))
KILLS_EVERY_S = 0.8
PRICE = 0.0059
"""About what a picture costs."""

pytestmark = [
    pytest.mark.usefixtures("noon"),  # what may be spent in a day is counted
    pytest.mark.skipif(sys.platform == "win32", reason="processes inherit no sockets there"),
]


def test_each_key_is_bought_once_however_often_workers_are_killed(tmp_path: Path) -> None:
    chance = Random(SEED)
    token = Tokens(tmp_path / "state").create("load")
    keys = [f"{number} {chance.choice(('', '', '', FLAKY, LOST))}".strip() for number in range(ASKED // 4)]
    asked = [key for key in keys for _ in range(4)]
    chance.shuffle(asked)
    over = threading.Event()
    killed = 0

    def kill() -> None:
        nonlocal killed
        while not over.wait(KILLS_EVERY_S * chance.uniform(0.5, 1.5)):
            if len(workers := children(process)) == 2:
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1

    found: dict[str, list[httpx.Response]] = defaultdict(list)
    with (
        CountingService(SEED, delay_s=(0.0, 0.3)) as service,
        gateway(tmp_path, service.variables(), 2) as (process, url),
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        killing = threading.Thread(target=kill)
        killing.start()
        try:
            responses = pool.map(lambda key: ask(url, token, key, **{"Idempotency-Key": key}), asked)
            for key, response in zip(asked, responses, strict=True):
                found[key].append(response)
        finally:
            over.set()
            killing.join()
        until(lambda: len(children(process)) == 2)
        for key in keys:
            found[key].append(ask(url, token, key, **{"Idempotency-Key": key}))
        assert killed and not [prompt for prompt, count in service.paid.items() if count > 1]
        for key in keys:
            done = [each for each in found[key] if each.status_code == 200]
            codes = {each.json()["error"]["code"] for each in found[key] if each not in done}
            last = found[key][-1]
            if last.status_code == 200:
                assert len({each.json()["data"][0]["b64_json"] for each in done}) == 1
                assert service.paid[key] == 1 and codes <= {"rate_limit_exceeded"}, key
            else:
                assert not done and last.status_code == 409, (key, last.text)
                assert last.json()["error"]["charge_possible"] and "outcome_unknown" in codes
        process.terminate()
        assert process.wait() == 0
    with Journal(tmp_path / "state") as journal:
        doubts = sum(run.in_doubt for run in journal.runs.all())
    assert doubts == sum(each[-1].status_code == 409 for each in found.values())
    said = (tmp_path / "errors").read_text()
    assert said.count("a worker has ended (signal 9), and another one takes its place") == killed
    texts = [said, (tmp_path / "requests.log").read_text()]
    assert not [text for text in texts if "Traceback" in text or token in text or token.split("-", 2)[2] in text]


@pytest.mark.parametrize("whose", ["a token", "the project"])
def test_what_may_be_spent_in_a_day_is_exact(tmp_path: Path, whose: str) -> None:
    most = round(ASKED / 8 * PRICE, 4)
    own = most if whose == "a token" else None
    tokens = [
        Tokens(tmp_path / "state").create(name, usd_per_day=own if name == "first" else None)
        for name in ("first", "other")
    ]
    settings = "" if own else f"max_usd_per_day = {most}\n"
    chance = Random(SEED)
    prompts = [f"{number} {chance.choice(('', '', FLAKY))}".strip() for number in range(ASKED)]
    with (
        CountingService(SEED, delay_s=(0.0, 0.1)) as service,
        gateway(tmp_path, service.variables(), 2, settings) as (_, url),
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        found = [*pool.map(lambda prompt: ask(url, tokens[0], prompt), prompts)]
        number = 0
        while (last := ask(url, tokens[0], f"more {number}")).status_code == 200:
            found.append(last)
            number += 1
        bought = [float(each.headers["x-flowdsl-cost-usd"]) for each in found if each.status_code == 200]
        assert Counter(each.status_code for each in found).keys() == {200, 429}
        assert len(bought) == service.paid.total() and sum(bought) <= most + 1e-9
        said = last.json()["error"]["message"]
        numbers = re.search(r"can cost up to \$([\d.]+); \$([\d.]+) of the \$([\d.]+) a day", said)
        assert numbers is not None, said
        needed, left, _ = map(float, numbers.groups())
        assert left < needed and left == pytest.approx(most - sum(bought), abs=1e-4)
        assert ask(url, tokens[1]).status_code == (200 if own else 429)
