"""Batches that are killed again and again: the service that counts is the only judge.

`FLOWDSL_KILLS` says how often, and there are about as many records as that times 17; `make soak` asks for 300.
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

from flowdsl_steps.image.simulator import Simulator

KILLS = int(os.environ.get("FLOWDSL_KILLS", "15"))
RECORDS = KILLS * 17
CARD = """\
inputs: {name: {type: string}}
flow:
  - step: TRY
    retry: {max: 1, delayMs: 0}
    try:
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: "A card for {{ inputs.name }}"
        size: 1024x1024
        quality: low
        maxRetries: 0
outputs: {card: "{{ flowContext.imageList }}"}
"""
_PATIENCE_S = 120


def started(folder: Path, simulator: Simulator, *command: str) -> subprocess.Popen[str]:
    names = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
    return subprocess.Popen(
        [sys.executable, "-m", "flowdsl.cli", *command],
        cwd=folder,
        env={**os.environ, **names, "FLOWDSL_STATE": str(folder / "state")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_somewhere(process: subprocess.Popen[str], simulator: Simulator, more: int) -> bool:
    """Kills a batch after so many further requests; False where it ended before."""
    wanted, until = simulator.request_count + more, time.monotonic() + _PATIENCE_S
    while process.poll() is None and simulator.request_count < wanted and time.monotonic() < until:
        time.sleep(0.002)
    ended = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return not ended


def prompts(simulator: Simulator) -> Counter[str]:
    """How often each prompt was paid for."""
    return Counter(str(dict(request.json)["prompt"]) for request in simulator.requests if request.is_generation)  # type: ignore[call-overload]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_a_batch_that_is_killed_again_and_again_loses_nothing_and_buys_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    (tmp_path / "card.flow.yaml").write_text(CARD, encoding="utf-8")
    (tmp_path / "a.csv").write_text("name\n" + "".join(f"P{n}\n" for n in range(RECORDS)), encoding="utf-8")
    with Simulator(plain=True, latency_s=0.02) as simulator:
        process = started(
            tmp_path, simulator, *("batch", "card.flow.yaml", "--over", "a.csv", "--out", "cards", "--quiet")
        )
        kills = 0
        for _ in range(KILLS):
            if not killed_somewhere(process, simulator, chance.randrange(1, 30)):
                break
            kills += 1
            process = started(tmp_path, simulator, "resume", "--yes", "--quiet")
        out, err = process.communicate(timeout=_PATIENCE_S)
        assert "Traceback" not in out + err
        assert kills > KILLS // 2
        bought = prompts(simulator)
        assert max(bought.values()) == 1  # nothing twice
        done = {line["record"] for line in lines(tmp_path / "cards" / "results.jsonl")}
        assert not lines(tmp_path / "cards" / "failed.jsonl")
        held = held_records(tmp_path, simulator)
        assert len(done) + len(held) == RECORDS  # nothing lost
        assert done.isdisjoint(held)
        unanswered = {f"A card for P{number}" for number in held}
        assert {f"A card for P{number}" for number in done} | unanswered >= set(bought)
        last = started(tmp_path, simulator, "resume", "--yes", "--resend", "--quiet")
        out, err = last.communicate(timeout=_PATIENCE_S)
        if held:
            assert last.returncode == 0, out + err
        again = prompts(simulator)
        assert {prompt for prompt, count in again.items() if count > 1} <= unanswered
        assert max(again.values()) <= 2
    results = lines(tmp_path / "cards" / "results.jsonl")
    assert sorted(int(str(line["record"])) for line in results) == list(range(RECORDS))
    images = [image for line in results for image in line["images"]]  # type: ignore[attr-defined]
    assert len(images) == RECORDS
    assert all(Path(image["path"]).is_file() for image in images)


def held_records(folder: Path, simulator: Simulator) -> set[int]:
    shown = started(folder, simulator, "runs", "list")
    out, _ = shown.communicate(timeout=_PATIENCE_S)
    id = out.split()[0]
    shown = started(folder, simulator, "runs", "show", id, "--json")
    out, _ = shown.communicate(timeout=_PATIENCE_S)
    return set(json.loads(out)["held"])
