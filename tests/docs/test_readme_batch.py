"""The batch of README.md as it stands there: Ctrl-C in the middle of it, then a resume, then its page."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from doc_blocks import ROOT, blocks

from flowdsl.journal.journal import Journal

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")]


def started(folder: Path, command: str) -> subprocess.Popen[str]:
    program, *arguments = shlex.split(command)
    assert program == "flowdsl"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = {**os.environ, "FLOWDSL_STATE": str(folder / ".flowdsl")}
    return subprocess.Popen([sys.executable, "-m", "flowdsl.cli", *arguments], cwd=folder, env=environment, **pipes)  # type: ignore[call-overload, no-any-return]


def test_ctrl_c_resume_and_report_are_three_commands(tmp_path: Path) -> None:
    found = blocks(ROOT / "README.md")
    flow = next(each for each in found if each.file_name == "skyline.flow.yaml")
    (tmp_path / "skyline.flow.yaml").write_text(flow.text, encoding="utf-8")
    block = next(each for each in found if "^C" in each.text)
    assert [line for line in block.text.splitlines() if not line.startswith("$ ")] == ["^C"]
    table, batch, resume, report = (line[2:] for line in block.text.splitlines() if line.startswith("$ "))
    subprocess.run(table, shell=True, cwd=tmp_path, check=True)
    assert len((tmp_path / "cities.csv").read_text(encoding="utf-8").splitlines()) == 21
    results, process = tmp_path / "cities" / "results.jsonl", started(tmp_path, batch)
    until = time.monotonic() + 60
    while not (results.exists() and results.read_bytes().count(b"\n")) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "`flowdsl resume" in said
    process = started(tmp_path, resume)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "20 records done" in said
    with Journal(tmp_path / ".flowdsl") as journal:
        paid = journal.database.read("SELECT state, count(*) AS number FROM ledger GROUP BY state")
    assert [tuple(row) for row in paid] == [("ok", 20)]
    assert len({json.loads(line)["record"] for line in results.read_text(encoding="utf-8").splitlines()}) == 20
    process = started(tmp_path, report.removesuffix(" --open"))
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (0, "cities/report.html")
    assert "City 20" in (tmp_path / "cities" / "report.html").read_text(encoding="utf-8")
