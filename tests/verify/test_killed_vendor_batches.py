"""Batches of a vendor's whose process is killed at every step: the simulator that counts is the only judge.

`FLOWDSL_BATCHED` says how many records the long way has; `make soak` asks for 2,000.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from flowdsl.journal.database import Database
from flowdsl_steps.image.simulator import Simulator

RECORDS = int(os.environ.get("FLOWDSL_BATCHED", "100"))
PROGRAM = Path(__file__).parent / "records_in_batches.py"
HALF_USD = 0.0059 / 2


class Worker:
    """Runs records in processes that end where they are told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, folder: Path, count: int, most: int, kill_at: int | None = None) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"folder": str(folder), "count": count, "most": most, "kill_at": kill_at}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def worker(simulator: Simulator, errors: Path) -> Iterator[Worker]:
    names = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
    with (
        errors.open("w", encoding="utf-8") as told,
        subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            env={**os.environ, **names},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        ) as process,
    ):
        yield Worker(process)
        assert process.stdin is not None
        process.stdin.close()
    assert "Traceback" not in errors.read_text(encoding="utf-8")


def bought(simulator: Simulator) -> Counter[str]:
    done = (each for each in simulator.requests if each.is_generation and each.status == 200)
    return Counter(str(dict(each.json)["prompt"]) for each in done)  # type: ignore[call-overload]


def ledger(folder: Path) -> list[dict[str, Any]]:
    with Database(folder / "state") as database:
        return [dict(row) for row in database.read("SELECT run, state, result, cost_usd FROM ledger")]


def has_pictures(row: dict[str, Any]) -> bool:
    """Whether the pictures of a row are on the disk."""
    return row["state"] == "ok" and '"image' in row["result"]


def test_a_process_that_is_killed_at_any_step_loses_nothing_and_buys_nothing_twice(tmp_path: Path) -> None:
    with Simulator(plain=True) as simulator, worker(simulator, tmp_path / "errors") as program:
        for kill_at in count(1):  # a slow machine comes to more points: it asks more often whether a batch has ended
            simulator.reset()
            folder = tmp_path / f"at-{kill_at}"
            is_killed = program.run(folder, 3, 2, kill_at)["exit"] == -9
            assert is_killed or kill_at > 30
            assert program.run(folder, 3, 2)["exit"] == 0
            assert bought(simulator) == {f"A card for P{number}": 1 for number in range(3)}, kill_at
            rows = ledger(folder)
            assert sorted(row["run"] for row in rows) == ["P0", "P1", "P2"], kill_at
            assert all(has_pictures(row) for row in rows), kill_at
            assert not list((folder / "parts").rglob("*.jsonl")), kill_at
            if not is_killed:
                break


def test_a_batch_with_kills_expiry_refusals_and_lost_answers_loses_nothing_and_buys_nothing_twice(
    tmp_path: Path,
) -> None:
    chance = random.Random(11)
    refused = {f"P{number}" for number in chance.sample(range(RECORDS), max(2, RECORDS // 50))}
    faults = [
        f"moderation:*,when=for {name}" for name in refused if name + "0" not in {f"P{n}" for n in range(RECORDS)}
    ]
    refused = {name for name in refused if f"moderation:*,when=for {name}" in faults}
    busy = f"rate_limit:2,when=for P{RECORDS - 1}"
    faults += ["batch_lost", "upload_lost", "batch_expired:2", "batch_cut:2", "batch_failed", busy]
    with Simulator(plain=True, faults=faults) as simulator, worker(simulator, tmp_path / "errors") as program:
        folder, most = tmp_path / "long", max(8, RECORDS // 8)
        kills = 0
        for kills in range(60):  # noqa: B007  how many they were
            ended = program.run(folder, RECORDS, most, chance.randrange(10, 40 + RECORDS // 2))
            if ended["exit"] == 0:
                break
            assert ended["exit"] == -9
        else:
            assert program.run(folder, RECORDS, most)["exit"] == 0
        paid = bought(simulator)
    assert kills > 3
    assert set(paid.values()) == {1}  # nothing twice
    rows = ledger(folder)
    done = {row["run"] for row in rows if has_pictures(row)}
    assert {f"A card for {name}" for name in done} == set(paid)  # nothing that is paid for is lost
    assert done | refused == {f"P{number}" for number in range(RECORDS)}
    assert {row["state"] for row in rows if row["run"] in refused} == {"refused"}
    assert round(sum(row["cost_usd"] or 0 for row in rows), 3) == round(len(done) * HALF_USD, 3)
