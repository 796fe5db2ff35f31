"""The host script of docs/hosts.md: short, and run both ways; that it is typed is in tests/test_architecture.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from doc_blocks import ROOT

from flowdsl_steps.image.simulator import Simulator

SCRIPT = ROOT / "docs" / "examples" / "host.py"


def test_the_host_script_has_at_most_fifteen_lines() -> None:
    assert sum(bool(line.strip()) for line in SCRIPT.read_text(encoding="utf-8").splitlines()) <= 15


def test_the_host_script_makes_a_picture_synchronously_and_one_in_an_event_loop(tmp_path: Path) -> None:
    for name in ("host.py", "season.flow.yaml"):
        shutil.copy(SCRIPT.with_name(name), tmp_path)
    with Simulator() as simulator:
        services = {"OPENAI_BASE_URL": simulator.openai_base_url, "OPENAI_API_KEY": simulator.key}
        done = subprocess.run(
            [sys.executable, "host.py"], cwd=tmp_path, env={**os.environ, **services}, capture_output=True, text=True
        )
        prompts = [request.json["prompt"] for request in simulator.requests if isinstance(request.json, dict)]
    assert done.stderr == ""
    first, *events, last = done.stdout.splitlines()
    season, path = last.split(" ", 1)
    assert prompts == ["A forest in summer, watercolour", "A forest in winter, watercolour"]
    assert Path(first).read_bytes()[:4] == Path(path).read_bytes()[:4] == b"\x89PNG"
    assert (season, len(events)) == ("winter", 8)
