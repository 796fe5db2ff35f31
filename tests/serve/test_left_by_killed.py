"""What a gateway that was killed leaves beside its journal is removed by the next, and nothing that another uses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gateways import FOR_AGENTS, SMALL, running_gateway

KEEPS = """
import sys
from pathlib import Path
from flowdsl.journal.running import Running
running = Running(Path(sys.argv[1]))
for run in ("one", "two"):
    running.take(run)
for run in ("one", "two"):
    running.let_go(run)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def keeping(state: Path) -> Iterator[list[str]]:
    """A process that keeps files for further runs, killed at the end; gives their names."""
    there = {*(state / "running").glob("*")}
    command = [sys.executable, "-c", KEEPS, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield sorted(path.name for path in {*(state / "running").glob("*")} - there)
        process.kill()


def test_files_that_a_killed_gateway_kept_for_further_runs_are_removed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with keeping(state) as left:
        assert len(left) == 2
    with keeping(state) as used, running_gateway(tmp_path) as gateway:
        assert sorted(path.name for path in (state / "running").iterdir()) == used
        assert gateway.post({"prompt": "A kite", **SMALL}).status_code == 200


@pytest.mark.long
@FOR_AGENTS
def test_files_that_a_killed_server_of_an_agent_kept_for_further_runs_are_removed(tmp_path: Path) -> None:
    state, flow = tmp_path / "state", tmp_path / "a.flow.yaml"
    flow.write_text("- step: SET\n  a: 1\n", encoding="utf-8")
    with keeping(state):
        pass
    main = f"from flowdsl.cli import main; raise SystemExit(main(['mcp', {flow.name!r}, '--simulate']))"
    command = [sys.executable, "-c", main]
    environ = {**os.environ, "FLOWDSL_STATE": str(state)}
    found = subprocess.run(
        command, cwd=tmp_path, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert (found.returncode, [*(state / "running").iterdir()]) == (0, []), found.stderr
