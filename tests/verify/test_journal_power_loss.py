"""The power is lost at each point where something is synced or sent: the run is resumed from what the disk then has,
nothing that was paid for is lost, and nothing is asked for twice but what somebody let be sent again.

`FLOWDSL_POWER=20` is how often chance decides what of the rest the disk has.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from counting_service import CountingService
from power_loss import Disk, Op, recorded, restore, strace

from flowdsl.cli import main
from flowdsl.journal.journal import Journal

CHANCES = int(os.environ.get("FLOWDSL_POWER", "1"))
SEED = int(os.environ.get("FLOWDSL_SEED", "3"))
STEP = "{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: low, instruction: 'PROMPT'}"
FLOW = f"""\
- {{step: FOR, var: i, start: 1, end: 2, do: [{STEP.replace("PROMPT", "a lamp")}]}}
- step: PARALLEL
  steps: [[{STEP.replace("PROMPT", "left")}], [{STEP.replace("PROMPT", "right")}]]
- {STEP.replace("PROMPT", "last")}
"""
NEEDED = Counter({"a lamp": 2, "left": 1, "right": 1, "last": 1})
pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace, which records calls of the system"
)


def record(folder: Path, trace: Path) -> list[Op]:
    """What a run does to its files, and what it sends."""
    folder.mkdir()
    (folder / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    with CountingService(delay_s=(0.0, 0.01)) as service:
        ran = subprocess.run(
            [*strace(trace), sys.executable, "-m", "flowdsl.cli", "run", "a.flow.yaml", "--quiet"],
            cwd=folder,
            env={**os.environ, **service.variables(), "FLOWDSL_STATE": str(folder / "state")},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert service.asked == NEEDED
    return recorded(trace, folder)


def prompt_of(op: Op) -> str | None:
    found = re.search(rb'"prompt": ?"([^"]*)"', op.data) if op.kind == "sent" else None
    return None if found is None else found[1].decode()


def resumed(folder: Path, asked: Counter[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Goes on from what is there, to the end."""
    with Journal(folder / "state") as journal:
        runs = journal.runs.all()
        requests = journal.runs.requests(runs[0].id) if runs else []
        may_go_on = bool(runs) and runs[0].may_be_resumed
    kept = Counter(each.request["prompt"] for each in requests if each.state == "ok" or each.blocks)
    assert not asked - kept, "sent, and not in the journal"
    bought = Counter(each.request["prompt"] for each in requests if each.state == "ok")
    assert not bought - asked
    if not may_go_on:
        assert not runs or (runs[0].status == "done" and bought == NEEDED)
        return
    with CountingService(first=1000) as service, pytest.MonkeyPatch.context() as patch:
        for name, value in {**service.variables(), "FLOWDSL_STATE": str(folder / "state")}.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        if kept != bought:
            assert main(["resume", "--yes", "--json"]) == 1
            assert "in doubt" in capsys.readouterr().err
            assert service.count == 0
        code = main(["resume", "--yes", "--resend", "--json"])
        out, err = capsys.readouterr()
        assert code == 0, err
        assert json.loads(out)["imageList"]
        assert service.asked == NEEDED - bought
    with Journal(folder / "state") as journal:
        files = [file for each in journal.runs.requests(runs[0].id) if each.state == "ok" for file in each.files]
    assert len(files) == len({Path(file).read_bytes() for file in files}) == NEEDED.total()


def test_a_run_goes_on_after_a_loss_of_power_at_any_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "project"
    ops = record(folder, tmp_path / "trace")
    random, disk, asked, points = Random(SEED), Disk(), Counter[str](), 0
    for at, op in enumerate([*ops, Op("sync", "")]):
        prompt = prompt_of(op)
        if prompt is not None:
            asked[prompt] += 1
        if prompt is not None or op.kind == "sync":
            for how in ("all", "synced", *["chance"] * CHANCES):
                left = disk.left(how, random)
                restore(folder, left)
                (folder / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
                try:
                    resumed(folder, asked, capsys)
                except BaseException as error:
                    error.add_note(f"the power was lost before {at}, {op.kind} {op.path}; the disk has: {how}")
                    raise
                points += 1
        disk.do(op)
    assert asked == NEEDED
    assert points > 60
