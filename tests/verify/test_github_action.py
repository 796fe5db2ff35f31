"""The action of `action.yml`: its script is run as GitHub runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import MAIN, ROOT, checkout, project

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("action") / "clone")


def run_action(clone: Path, workspace: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Runs the steps of the action with these inputs; others have their defaults."""
    (step,) = ACTION["runs"]["steps"]
    given = {name: inputs.get(name.replace("-", "_"), about["default"]) for name, about in ACTION["inputs"].items()}
    expression = re.compile(r"\$\{\{ inputs\.([\w-]+) \}\}")
    environ = {name: expression.sub(lambda found: given[found[1]], value) for name, value in step["env"].items()}
    environ |= {"GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": str(clone), "RUNNER_TEMP": str(clone.parent)}
    environ |= {"GITHUB_WORKSPACE": str(workspace), "GITHUB_STEP_SUMMARY": str(workspace.parent / "summary.md")}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=workspace,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_action_takes_its_inputs_as_variables_only() -> None:
    (step,) = ACTION["runs"]["steps"]
    assert "${{" not in step["run"]
    assert {name for value in step["env"].values() for name in re.findall(r"inputs\.([\w-]+)", value)} == set(
        ACTION["inputs"]
    )


def test_what_is_found_is_shown_beside_its_line_and_fails_the_job(clone: Path, tmp_path: Path) -> None:
    workspace = project(tmp_path / "work")
    done = run_action(clone, workspace, python=sys.executable)
    assert (done.returncode, done.stdout) == (0, "3 files, no findings\n"), done.stderr
    (workspace / "flows" / "main.flow.yaml").write_text(MAIN.replace("tone", "tune"), encoding="utf-8")
    (workspace / "a $(touch pwned), b.flow.yaml").write_text("- step: SOT\n", encoding="utf-8")
    paths = "flows\na $(touch pwned), b.flow.yaml\n"
    done = run_action(clone, workspace, python=sys.executable, paths=paths, sarif="found.sarif", fail_on="warning")
    assert done.returncode == 1, done.stderr
    first, second, summary = done.stdout.splitlines()
    assert first.startswith("::error file=flows/main.flow.yaml,line=5,")
    assert second.startswith("::error file=a $(touch pwned)%2C b.flow.yaml,line=1,col=9,")
    assert summary == "4 files: 2 errors"
    assert not (workspace / "pwned").exists()
    assert len(json.loads((workspace / "found.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]) == 2
    told = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "flows/main.flow.yaml:5:" in told
    assert "3 files, no findings" in told
