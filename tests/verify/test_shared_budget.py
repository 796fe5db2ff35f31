"""Two processes with 64 requests at a time each never spend more than a project may in a day, or a run in all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
        names = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
        names["FLOWDSL_STATE"] = str(tmp_path / "state")
        processes = []
        for owner in ("a", "b"):
            (tmp_path / f"{owner}.flow.yaml").write_text(FLOW.replace("OWNER", owner), encoding="utf-8")
            command = [sys.executable, "-m", "flowdsl.cli", "run", f"{owner}.flow.yaml", "--quiet", "--out", owner]
            processes.append(
                subprocess.Popen(
                    [*command, *options],
                    cwd=tmp_path,
                    env={**os.environ, **names},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        for process in processes:
            out, _ = process.communicate(timeout=240)
            assert process.returncode == 4, out
            assert re.search(r"\[budget-spent\]", out)
        return sum(request.is_generation for request in simulator.requests)
