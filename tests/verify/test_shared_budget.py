"""Two processes with 64 requests at a time each never spend more than a project may in a day, or a run in all; nor do
processes that are killed, and what they had set aside and not sent is spent then.

`FLOWDSL_KILLS=200` is the full count, `FLOWDSL_SEED` draws other points.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from flowdsl.journal.journal import Journal
from flowdsl_steps.image.simulator import Simulator

FLOW = """\
- step: FOR
  var: n
  start: 1
  end: 120
  concurrency: 64
  do:
    - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: low, instruction: "OWNER {{ flowContext.n }}"}
"""  # noqa: E501  one step
KILLS = int(os.environ.get("FLOWDSL_KILLS", "10"))
SEED = int(os.environ.get("FLOWDSL_SEED", "7"))
COST = 0.00589
"""What one of these pictures costs."""


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize(
    ("settings", "options", "most"),
    [
        ("max_usd_per_day = 0.5", [], 0.5),
        ("[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATION = 0.5", [], 0.5),
        ("", ["--max-usd", "0.25"], 0.5),
        ("max_usd = 0.25", [], 0.5),
    ],
    ids=["a day", "a service", "the option of each run", "each run"],
)
def test_a_sum_is_never_passed(settings: str, options: list[str], most: float, tmp_path: Path) -> None:
    paid = bought(tmp_path, settings, options)
    assert paid * COST <= most + 1e-9
    assert paid >= 64  # and what may be spent is


@pytest.mark.parametrize(
    ("settings", "options", "most"),
    [
        ("max_usd_per_day = 0.55\n", [], 11),
        ("[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATION = 0.55\n", [], 11),
        ("", ["--max-usd", "0.25"], 10),
    ],
    ids=["a day", "a service", "the option of each run"],
)
def test_not_one_picture_more_is_bought_than_a_sum_is_for(
    settings: str, options: list[str], most: int, tmp_path: Path
) -> None:
    priced = "[services.OPENAI_IMAGE_GENERATION]\nprices = 0.05\n"  # what is set aside is what it costs
    assert bought(tmp_path, settings + priced, options) <= most


def bought(tmp_path: Path, settings: str, options: list[str]) -> int:
    """How many pictures two runs pay for, which both end as their budget is spent."""
    (tmp_path / "flowdsl.toml").write_text(settings, encoding="utf-8")
    with Simulator(plain=True) as simulator:
        processes = [started(tmp_path, simulator, owner, *options) for owner in ("a", "b")]
        for process in processes:
            out, _ = process.communicate(timeout=240)
            assert process.returncode == 4, out
            assert re.search(r"\[budget-spent\]", out)
        return sum(request.is_generation for request in simulator.requests)


def started(folder: Path, simulator: Simulator, owner: str, *options: str, at_once: int = 64) -> subprocess.Popen[str]:
    """The process of a run that buys for somebody."""
    flow = FLOW.replace("OWNER", owner).replace("64", str(at_once))
    (folder / f"{owner}.flow.yaml").write_text(flow, encoding="utf-8")
    names = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
    return subprocess.Popen(
        [sys.executable, "-m", "flowdsl.cli", "run", f"{owner}.flow.yaml", "--quiet", "--out", owner, *options],
        cwd=folder,
        env={**os.environ, **names, "FLOWDSL_STATE": str(folder / "state")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize(
    "settings",
    ["max_usd_per_day = {}\n", "[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATION = {}\n"],
    ids=["a day", "a service"],
)
def test_a_sum_is_spent_to_its_end_and_never_passed_by_processes_that_are_killed(settings: str, tmp_path: Path) -> None:
    random = Random(SEED)
    most = 64 + 10 * KILLS
    entry = "[services.OPENAI_IMAGE_GENERATION]\nprices = 0.05\n"
    (tmp_path / "flowdsl.toml").write_text(f"{settings.format(most * 0.05)}{entry}rateLimit = 900\n", encoding="utf-8")
    ended = 0
    with Simulator(plain=True) as simulator:
        running = {owner: started(tmp_path, simulator, owner, at_once=32) for owner in ("a", "b")}
        for _ in range(KILLS):
            time.sleep(random.uniform(0.4, 1.6))
            for owner in random.choice(("a", "b", "ab")):
                process = running[owner]
                process.kill()
                out, _ = process.communicate(timeout=60)
                assert process.returncode == -9 or re.search(r"\[budget-spent\]", out), out
                ended += process.returncode != -9
                running[owner] = started(tmp_path, simulator, owner, at_once=32)
        for process in running.values():
            process.kill()
            process.communicate(timeout=60)
        sent = sum(request.is_generation for request in simulator.requests)
        (tmp_path / "flowdsl.toml").write_text(settings.format(most * 0.05) + entry, encoding="utf-8")
        while True:  # a run buys 120 at most
            last = started(tmp_path, simulator, "c", at_once=1)
            out, _ = last.communicate(timeout=240)
            if last.returncode:
                break
        assert re.search(r"\[budget-spent\]", out), out
        bought = sum(request.is_generation for request in simulator.requests)
    print(f"{most} may be bought: {sent} were by processes that were killed, {bought} in all; {ended} ended themselves")
    with Journal(tmp_path / "state") as journal:
        counted = journal.database.read("SELECT state FROM ledger WHERE state != 'refused'")
        (spent,) = journal.database.read(f"SELECT usd FROM {'spending_of' if 'service' in settings else 'spending'}")
    assert bought <= len(counted) == most
    assert spent["usd"] == pytest.approx(most * 0.05)
