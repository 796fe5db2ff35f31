"""Two processes that share a journal ask a service together no faster than its entry says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from counting_service import CountingService

from flowdsl_steps.image.simulator import Simulator

FLOW = """\
services:
  OPENAI_IMAGE_GENERATION: {rateLimit: RATE}
flow:
  - step: FOR
    var: n
    start: 1
    end: COUNT
    concurrency: 20
    do:
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        instruction: "Boat {{ flowContext.n }} of OWNER"
        size: 1024x1024
        quality: low
"""


@pytest.mark.parametrize(("per_second", "count"), [(20, 40), (200, 200)])
def test_no_second_has_more_requests_than_the_rate_allows(per_second: int, count: int, tmp_path: Path) -> None:
    with Simulator(plain=True) as simulator:
        names = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
        names["FLOWDSL_STATE"] = str(tmp_path / "state")
        processes = []
        for owner in ("a", "b"):
            text = FLOW.replace("RATE", str(per_second * 60)).replace("COUNT", str(count)).replace("OWNER", owner)
            (tmp_path / f"{owner}.flow.yaml").write_text(text, encoding="utf-8")
            command = [sys.executable, "-m", "flowdsl.cli", "run", f"{owner}.flow.yaml", "--quiet", "--out", owner]
            command += ["--max-requests", "1000"]
            processes.append(
                subprocess.Popen(
                    command,
                    cwd=tmp_path,
                    env={**os.environ, **names},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        for process in processes:
            out, _ = process.communicate(timeout=120)
            assert process.returncode == 0, out
        times = sorted(request.time for request in simulator.requests if request.is_generation)
    assert len(times) == 2 * count
    busiest = max(sum(start <= time < start + 1 for time in times) for start in times)
    assert busiest <= per_second * 1.05 + 1


def test_no_more_requests_are_under_way_than_the_entry_says(tmp_path: Path) -> None:
    with CountingService(delay_s=(0.05, 0.1)) as service:
        names = {**service.variables(), "FLOWDSL_STATE": str(tmp_path / "state")}
        text = FLOW.replace("rateLimit: RATE", "concurrency: 3").replace("COUNT", "20")
        processes = []
        for owner in ("a", "b"):
            (tmp_path / f"{owner}.flow.yaml").write_text(text.replace("OWNER", owner), encoding="utf-8")
            command = [sys.executable, "-m", "flowdsl.cli", "run", f"{owner}.flow.yaml", "--quiet", "--out", owner]
            processes.append(subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **names}))
        assert [process.wait(120) for process in processes] == [0, 0]
    assert service.count == 40
    assert service.most_at_once == 3


def test_pictures_count_each_for_a_limit_of_pictures(tmp_path: Path) -> None:
    text = FLOW.replace("rateLimit: RATE", "imageRateLimit: 1200").replace("quality: low", "quality: low\n        n: 3")
    with Simulator(plain=True) as simulator:
        names = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
        names["FLOWDSL_STATE"] = str(tmp_path / "state")
        processes = []
        for owner in ("a", "b"):
            own = text.replace("COUNT", "10").replace("OWNER", owner)
            (tmp_path / f"{owner}.flow.yaml").write_text(own, encoding="utf-8")
            command = [sys.executable, "-m", "flowdsl.cli", "run", f"{owner}.flow.yaml", "--quiet", "--out", owner]
            processes.append(subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **names}))
        assert [process.wait(120) for process in processes] == [0, 0]
        times = sorted(request.time for request in simulator.requests if request.is_generation)
    assert len(times) == 20
    busiest = max(sum(start <= time < start + 1 for time in times) for start in times)
    assert 3 * busiest <= 20 * 1.05 + 3


def test_the_place_of_a_process_that_was_killed_during_its_request_is_free(tmp_path: Path) -> None:
    text = FLOW.replace("rateLimit: RATE", "concurrency: 1").replace("COUNT", "1")
    with CountingService(delay_s=(1.0, 1.0)) as service:
        names = {**service.variables(), "FLOWDSL_STATE": str(tmp_path / "state")}
        processes = []
        for owner in ("a", "b"):
            (tmp_path / f"{owner}.flow.yaml").write_text(text.replace("OWNER", owner), encoding="utf-8")
            command = [sys.executable, "-m", "flowdsl.cli", "run", f"{owner}.flow.yaml", "--quiet", "--out", owner]
            processes.append(subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **names}))
            assert service.wait_for(lambda owner=owner: bool(service.asked[f"Boat 1 of {owner}"]), 60)  # type: ignore[misc]
            if owner == "a":
                processes[0].kill()
        assert [process.wait(60) for process in processes] == [-9, 0]
    assert service.count == 2
