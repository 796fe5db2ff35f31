"""Two processes that share a journal ask a service together no faster than its entry says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from asking_loops import busiest_second, most_within_a_second
from counting_service import CountingService

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


MOST = 1.05
"""So much of a rate may come within one second."""


@pytest.mark.parametrize(("per_second", "count"), [(20, 40), (200, 300)])
def test_no_second_has_more_requests_than_the_rate_allows(per_second: int, count: int, tmp_path: Path) -> None:
    most = per_second * MOST
    assert busiest_second(tmp_path / "paced", per_second * 60, count) <= most
    assert busiest_second(tmp_path / "unpaced", 0, count) > most, "they are too slow to show it"


def test_no_second_has_more_pictures_of_two_runs_than_the_rate_allows(tmp_path: Path) -> None:
    times = times_of_two_runs(FLOW.replace("RATE", "1200").replace("COUNT", "40"), tmp_path)
    assert len(times) == 80
    assert most_within_a_second(times) <= 20 * MOST


def times_of_two_runs(text: str, folder: Path) -> list[float]:
    """When a service got the requests of two processes that run a flow side by side."""
    with CountingService() as service:
        names = {**service.variables(), "FLOWDSL_STATE": str(folder / "state")}
        processes = []
        for owner in ("a", "b"):
            (folder / f"{owner}.flow.yaml").write_text(text.replace("OWNER", owner), encoding="utf-8")
            command = [sys.executable, "-m", "flowdsl.cli", "run", f"{owner}.flow.yaml", "--quiet", "--out", owner]
            processes.append(subprocess.Popen(command, cwd=folder, env={**os.environ, **names}))
        assert [process.wait(120) for process in processes] == [0, 0]
    return service.times


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


def test_no_more_requests_to_all_services_are_under_way_than_the_project_says(tmp_path: Path) -> None:
    text = FLOW.replace("rateLimit: RATE", "concurrency: 3").replace("COUNT", "20").replace("OWNER", "all")
    (tmp_path / "flowdsl.toml").write_text("concurrency = 4\n", encoding="utf-8")
    with CountingService(delay_s=(0.05, 0.1)) as service:
        names = {**service.variables(), "FLOWDSL_STATE": str(tmp_path / "state")}
        processes = []
        for owner in ("a", "b"):
            entry = f"PICTURES_{owner}: {{provider: openai, concurrency: 3}}"
            own = text.replace("OPENAI_IMAGE_GENERATION: {concurrency: 3}", entry)
            own = own.replace("quality: low", f"quality: low\n        service: PICTURES_{owner}")
            (tmp_path / f"{owner}.flow.yaml").write_text(own, encoding="utf-8")
            command = [sys.executable, "-m", "flowdsl.cli", "run", f"{owner}.flow.yaml", "--quiet", "--out", owner]
            processes.append(subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **names}))
        assert [process.wait(120) for process in processes] == [0, 0]
    assert service.count == 40
    assert service.most_at_once == 4


def test_pictures_count_each_for_a_limit_of_pictures(tmp_path: Path) -> None:
    text = FLOW.replace("rateLimit: RATE", "imageRateLimit: 1200").replace("quality: low", "quality: low\n        n: 3")
    times = times_of_two_runs(text.replace("COUNT", "10"), tmp_path)
    assert len(times) == 20
    assert 3 * most_within_a_second(times) <= 20 * MOST


@pytest.mark.parametrize("settings", ["", "concurrency = 1\n"], ids=["of its service", "of all services"])
def test_the_place_of_a_process_that_was_killed_during_its_request_is_free(settings: str, tmp_path: Path) -> None:
    text = FLOW.replace("rateLimit: RATE", "concurrency: 9" if settings else "concurrency: 1").replace("COUNT", "1")
    (tmp_path / "flowdsl.toml").write_text(settings, encoding="utf-8")
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
