"""The hooks of `.pre-commit-hooks.yaml`, by pre-commit itself from a clone of this repository."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from checkout import KIT, MAIN, MODULE, ROOT, checkout, git, project

from flowdsl.cli import COMMANDS

HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose commits are checked; the environment of the hooks is made once."""
    folder = tmp_path_factory.mktemp("hooks")
    clone = checkout(folder / "clone")
    flows = project(folder / "flows")
    revision = git(clone, "rev-parse", "HEAD").strip()
    hooks = [{"id": hook["id"]} for hook in HOOKS if shlex.split(hook["entry"])[1] in COMMANDS]
    config = {"repos": [{"repo": str(clone), "rev": revision, "hooks": hooks}]}
    (flows / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    git(flows, "add", "--all")
    pre_commit(flows, "install", "--install-hooks")
    return flows


def pre_commit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environ["PRE_COMMIT_HOME"] = str(folder.parent / "home")
    command = [sys.executable, "-m", "pre_commit", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert arguments[0] == "run" or done.returncode == 0, done.stdout + done.stderr
    return done


def checked(folder: Path, name: str, text: str) -> tuple[int, str]:
    """What the hook says of a change of one file, which alone is staged and which is undone then."""
    (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", name)
    done = pre_commit(folder, "run", "flowdsl-validate")
    git(folder, "reset", "--quiet", "--hard")
    return done.returncode, done.stdout


def commit_config(folder: Path) -> None:
    """Commits what is staged, so that a test can go back to it."""
    git(folder, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", "hooks")


def test_a_right_change_passes_and_one_of_another_file_is_not_checked(hooked: Path) -> None:
    commit_config(hooked)
    code, said = checked(hooked, "flows/main.flow.yaml", MAIN.replace("morning", "evening"))
    assert (code, "Passed" in said) == (0, True), said
    code, said = checked(hooked, "README.md", "other\n")
    assert (code, "no files to check" in said) == (0, True), said


def test_a_broken_kit_is_caught(hooked: Path) -> None:
    commit_config(hooked)
    code, said = checked(hooked, "flows/studio.ai-kit.yaml", KIT.replace("step: SET", "step: SOT"))
    assert code == 1
    assert "flows/studio.ai-kit.yaml:7:21: error: Step not found: SOT [unknown-step]" in said


def test_a_broken_module_is_caught(hooked: Path) -> None:
    commit_config(hooked)
    code, said = checked(hooked, "flows/parts.module.yaml", MODULE.replace("constants:", "constant:"))
    assert code == 1
    assert "flows/parts.module.yaml:2:3: error: " in said


def test_a_rename_in_a_module_is_caught_where_it_is_imported(hooked: Path) -> None:
    commit_config(hooked)
    code, said = checked(hooked, "flows/parts.module.yaml", MODULE.replace("tone:", "mood:"))
    assert code == 1
    assert "flows/main.flow.yaml:5:" in said
    assert "tone" in said


def test_a_commit_of_a_mistake_is_stopped(hooked: Path) -> None:
    commit_config(hooked)
    (hooked / "flows/main.flow.yaml").write_text("- step: SOT\n", encoding="utf-8")
    git(hooked, "add", "--all")
    environ = {**os.environ, "PRE_COMMIT_HOME": str(hooked.parent / "home")}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "wrong"]
    done = subprocess.run(command, cwd=hooked, env=environ, capture_output=True, text=True, timeout=600, check=False)
    git(hooked, "reset", "--quiet", "--hard")
    assert done.returncode == 1
    assert "Step not found: SOT" in done.stderr + done.stdout
