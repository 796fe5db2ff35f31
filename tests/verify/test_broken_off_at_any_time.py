"""Commands that write, broken off at any time, and several at once: each file is the old one or the new one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TURNS = 10
FILES = 60
UGLY = "flow:\n-   step: SET\n    a:   1  # number {}\n    text: '{{a}}'\n-   step: SOT\n    b: 2\n"
FOX = "flow:\n  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A fox}\n"
TESTS = "flow: fox.flow.yaml\ntests:\n  - {name: one, expect: {prompts: snapshot}}\n"
TASK = '{"tasktype": "generate_image", "params": {"prompt": "A fox", "model": "gpt-image-2"}}\n'
COMMANDS = {
    "fmt": ["fmt", "."],
    "fixes": ["validate", ".", "--fix", "--unsafe-fixes"],
    "findings": ["validate", ".", "--format", "sarif", "--output-file", "out.sarif"],
    "drawing": ["graph", "fox.flow.yaml", "--output", "out.svg"],
    "snapshots": ["test", "fox.test.yaml", "--update-snapshots", "--coverage-json", "coverage.json"],
    "project": ["init", "project"],
    "converted": ["convert", "task.json", "--out", "task.flow.yaml", "--force"],
}


def project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(FILES):
        (folder / f"{number:02}.flow.yaml").write_text(UGLY.format(number))
    (folder / "fox.flow.yaml").write_text(FOX)
    (folder / "fox.test.yaml").write_text(TESTS)
    (folder / "task.json").write_text(TASK)
    return folder


def begin(what: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "flowdsl.cli", *COMMANDS[what]],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """The files by their names, but for those that a killed process leaves behind, which nobody reads."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if not (path.name.startswith(".") and path.suffix == ".tmp")
    }


def whole(what: str, folder: Path) -> tuple[dict[str, bytes], dict[str, bytes], float]:
    """The files before the command and after it, and how long it takes."""
    before = contents(project(folder))
    began = time.perf_counter()
    begin(what, folder).communicate(timeout=120)
    return before, contents(folder), time.perf_counter() - began


@pytest.mark.parametrize("end", ["SIGKILL", "SIGINT"])
@pytest.mark.parametrize("what", COMMANDS)
def test_every_file_is_the_old_one_or_the_new_one(what: str, end: str, tmp_path: Path) -> None:
    before, after, seconds = whole(what, tmp_path / "whole")
    chance = random.Random(5)
    for turn in range(TURNS):
        folder = project(tmp_path / f"{turn}")
        process = begin(what, folder)
        time.sleep(chance.uniform(0.1, max(0.2, seconds)))
        process.send_signal(getattr(signal, end))
        _, said = process.communicate(timeout=120)
        for name, content in contents(folder).items():
            assert content in (before.get(name), after.get(name)), f"turn {turn}: {name}"
        if end == "SIGINT" and process.returncode == 130:
            assert said.endswith("interrupted\n")
            assert "Traceback" not in said
            assert not list(folder.rglob(".*.tmp"))


@pytest.mark.parametrize("what", COMMANDS)
def test_several_at_once_leave_what_one_leaves(what: str, tmp_path: Path) -> None:
    _, after, _ = whole(what, tmp_path / "whole")
    folder = project(tmp_path / "together")
    said = [process.communicate(timeout=120)[1] for process in [begin(what, folder) for _ in range(3)]]
    assert not any("Traceback" in text for text in said)
    assert not list(folder.rglob(".*.tmp"))
    begin(what, folder).communicate(timeout=120)  # what one of them was refused, since another was writing it
    assert contents(folder) == after
