"""`flowdsl batch --vendor-batch` that is killed at random, with all that goes wrong at a vendor: the vendor that
counts is the only judge.

Each record makes a picture and then edits it, so a record is part of two batches at least. `FLOWDSL_BATCHED` says how
many records there are; `make soak` asks for 2,000.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from flowdsl.journal.database import Database
from flowdsl_steps.image.simulator import Simulator

RECORDS = int(os.environ.get("FLOWDSL_BATCHED", "100"))
KILLS = 25
CARD = """\
inputs: {name: {type: string}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "A card for {{ inputs.name }}"
    size: 1024x1024
    quality: low
  - step: OPENAI_IMAGE_EDIT
    model: gpt-image-2
    instruction: "A bluer card for {{ inputs.name }}"
    images: "{{ flowContext.imageList }}"
    size: 1024x1024
    quality: low
outputs: {card: "{{ flowContext.imageList }}"}
"""
QUICK = """\
import sys
from flowdsl.cli import main, vendor_batched
from flowdsl_steps.image.vendor_batch import vendor_batch
vendor_batched.GATHER_S = 0.3
vendor_batch.USUAL = vendor_batch.Pauses(0.05, 0.2, (0.05, 0.2))
sys.exit(main(sys.argv[1:]))
"""
_PATIENCE_S = 900


def started(folder: Path, simulator: Simulator, *command: str) -> subprocess.Popen[str]:
    names = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
    return subprocess.Popen(
        [sys.executable, "-c", QUICK, *command],
        cwd=folder,
        env={**os.environ, **names, "FLOWDSL_STATE": str(folder / "state")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_somewhere(process: subprocess.Popen[str], simulator: Simulator, more: int, delay_s: float) -> bool:
    """Kills a command some time after so many further requests; False where it ended before."""
    wanted, until = simulator.request_count + more, time.monotonic() + _PATIENCE_S
    while process.poll() is None and simulator.request_count < wanted and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(delay_s)
    ended = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    out, err = process.communicate()
    assert "Traceback" not in out + err, err
    return not ended


def bought(simulator: Simulator) -> Counter[str]:
    done = (each for each in simulator.requests if each.status == 200 and each.path.startswith("/v1/images/"))
    return Counter(str(dict(each.json)["prompt"]) for each in done)  # type: ignore[call-overload]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def costs(folder: Path) -> list[tuple[str, str, float | None]]:
    with Database(folder / "state") as database:
        query = "SELECT step, state, cost_usd FROM ledger WHERE state != 'released'"
        return [(row["step"], row["state"], row["cost_usd"]) for row in database.read(query)]


def test_a_command_that_is_killed_again_and_again_loses_nothing_and_buys_nothing_twice_at_half_price(
    tmp_path: Path,
) -> None:
    chance = random.Random(5)
    (tmp_path / "card.flow.yaml").write_text(CARD, encoding="utf-8")
    names = [f"P{1000 + number}" for number in range(RECORDS)]
    (tmp_path / "a.csv").write_text("name\n" + "".join(f"{name}\n" for name in names), encoding="utf-8")
    refused = set(chance.sample(names, max(2, RECORDS // 50)))
    faults = [f"moderation:*,when={chance.choice(('A card', 'A bluer card'))} for {name}" for name in refused]
    faults += ["batch_lost:2", "upload_lost:2", "batch_expired:3", "batch_cut:3", "batch_failed:2", "rate_limit:3"]
    with Simulator(plain=True) as simulator:
        own = tmp_path / "own"
        own.mkdir()
        (own / "card.flow.yaml").write_text(CARD, encoding="utf-8")
        direct = started(own, simulator, "run", "card.flow.yaml", "-i", "name=P9999", "--quiet")
        out, err = direct.communicate(timeout=_PATIENCE_S)
        assert direct.returncode == 0, out + err
        full = {step: cost for step, _, cost in costs(own)}
        simulator.faults.add(*faults)
        over = ("--over", "a.csv", "--out", "cards", "--quiet", "--vendor-batch")
        process = started(tmp_path, simulator, "batch", "card.flow.yaml", *over)
        kills = 0
        for _ in range(KILLS):
            more = chance.choice((1, 2, chance.randrange(3, 12), chance.randrange(10, 12 + RECORDS)))
            if not killed_somewhere(process, simulator, more, chance.random() * 0.1):
                break
            kills += 1
            process = started(tmp_path, simulator, "resume", "--yes", "--quiet")
        out, err = process.communicate(timeout=_PATIENCE_S)
        assert "Traceback" not in out + err
        assert process.returncode == 4, out + err  # as some are refused
        paid = bought(simulator)
    assert kills > KILLS // 3
    assert set(paid.values()) == {1}  # nothing twice
    results, failed = lines(tmp_path / "cards" / "results.jsonl"), lines(tmp_path / "cards" / "failed.jsonl")
    assert sorted(str(line["name"]) for line in failed) == sorted(refused)
    done = [names[int(str(line["record"]))] for line in results]
    assert sorted(done) == sorted(set(names) - refused)  # nothing lost
    images = [image for line in results for image in line["images"]]  # type: ignore[attr-defined]
    assert len(images) == 2 * len(done)
    assert all(Path(image["path"]).is_file() for image in images)
    rows = costs(tmp_path)
    assert {state for _, state, _ in rows} == {"ok", "refused"}
    assert Counter(state for _, state, _ in rows)["ok"] == len(paid) - 2  # the two of the direct run
    for step, state, cost in rows:
        assert state == "refused" or cost == pytest.approx((full[step] or 0) / 2, rel=0.02)
