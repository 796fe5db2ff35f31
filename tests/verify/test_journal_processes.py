"""Several processes with one journal, and one that stands still for `FLOWDSL_STOPPED` seconds."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from counting_service import CountingService

from flowdsl.journal.journal import Journal

STOPPED_S = float(os.environ.get("FLOWDSL_STOPPED", "2"))
FLOW = """\
- step: FOR
  var: i
  start: 1
  end: 12
  concurrency: 3
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      size: 1024x1024
      quality: low
      instruction: "boat {{ flowContext.i }}"
"""
RECORD = """\
inputs: {n: {type: string}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    size: 1024x1024
    quality: low
    instruction: "boat {{ inputs.n }}"
"""
ALL = Counter({f"boat {number}": 1 for number in range(1, 13)})
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


class Project:
    """A folder with a flow and a journal."""

    def __init__(self, folder: Path, service: CountingService) -> None:
        (folder / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
        self.folder = folder
        self.state = folder / "state"
        self.variables = {**os.environ, **service.variables(), "FLOWDSL_STATE": str(self.state)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flowdsl.cli", *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop(self, process: subprocess.Popen[str]) -> None:
        """Has a process stand still, at a time when it does not write: nobody else could write then."""
        while True:
            process.send_signal(signal.SIGSTOP)
            with closing(
                sqlite3.connect(self.state / "journal.sqlite", timeout=0.2, isolation_level=None)
            ) as connection:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("ROLLBACK")
                except sqlite3.OperationalError:
                    process.send_signal(signal.SIGCONT)
                    time.sleep(0.01)
                else:
                    return

    def bought(self) -> int:
        """How many requests of all runs and batches brought something."""
        with Journal(self.state) as journal:
            return int(journal.database.read("SELECT count(*) AS number FROM ledger WHERE state = 'ok'")[0]["number"])

    def states(self) -> list[Counter[str]]:
        """The states of the requests of each run."""
        with Journal(self.state) as journal:
            return [Counter(each.state for each in journal.runs.requests(run.id)) for run in journal.runs.all()]


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate(timeout=120)
    return process.returncode, err


def test_of_two_that_resume_a_run_at_once_one_does_it(tmp_path: Path) -> None:
    with CountingService(delay_s=(0.05, 0.1)) as service:
        project = Project(tmp_path, service)
        first = project.start("run", "a.flow.yaml", "-q")
        assert service.wait_for(lambda: service.count >= 5, 60)
        first.kill()
        ended(first)
        before = Counter(service.asked)
        (states,) = project.states()
        both = [project.start("resume", "--yes", "--resend", "-q") for _ in range(2)]
        results = sorted(ended(each) for each in both)
        assert results[0][0] == 0, results
        code, err = results[1]
        if code != 0:  # else the other one had ended before it looked
            assert code in (2, 4)
            assert "goes on in another process" in err or "goes on already" in err or "unfinished" in err
        assert service.count - before.total() == 12 - states["ok"]
        assert project.states()[0]["ok"] == 12


def test_runs_of_one_project_at_once_share_its_journal(tmp_path: Path) -> None:
    with CountingService(delay_s=(0.0, 0.05)) as service:
        project = Project(tmp_path, service)
        for code, err in [ended(each) for each in [project.start("run", "a.flow.yaml", "-q") for _ in range(4)]]:
            assert code == 0, err
        assert service.count == 48
        assert project.states() == [Counter(ok=12)] * 4


def test_a_run_that_stands_still_keeps_no_other_from_its_journal_and_goes_on(tmp_path: Path) -> None:
    with CountingService(delay_s=(0.05, 0.1)) as service:
        project = Project(tmp_path, service)
        (tmp_path / "still.flow.yaml").write_text(FLOW + "      timeoutMs: 1500\n")  # it stands still for longer
        still = project.start("run", "still.flow.yaml", "-q")
        assert service.wait_for(lambda: service.count >= 4, 60)
        project.stop(still)
        try:
            time.sleep(STOPPED_S)
            code, err = ended(project.start("run", "a.flow.yaml", "-q"))
            assert code == 0, err
            code, err = ended(project.start("resume", "--yes", "-q"))
            assert (code, "unfinished" in err) == (2, True), err
        finally:
            still.send_signal(signal.SIGCONT)
        code, err = ended(still)
        assert code == 0, err
        assert service.asked == ALL + ALL
        assert project.states() == [Counter(ok=12)] * 2


def test_of_two_that_resume_a_batch_at_once_one_does_it_and_nothing_is_spent_twice(tmp_path: Path) -> None:
    with CountingService(delay_s=(0.05, 0.1)) as service:
        project = Project(tmp_path, service)
        (tmp_path / "b.flow.yaml").write_text(RECORD, encoding="utf-8")
        (tmp_path / "a.csv").write_text("n\n" + "".join(f"{number}\n" for number in range(24)), encoding="utf-8")
        first = project.start("batch", "b.flow.yaml", "--over", "a.csv", "--out", "cards", "-q")
        assert service.wait_for(lambda: service.count >= 5, 60)
        first.kill()
        ended(first)
        before, bought = service.count, project.bought()
        both = [project.start("resume", "--yes", "--resend", "-q") for _ in range(2)]
        results = sorted(ended(each) for each in both)
        assert results[0][0] == 0, results
        code, err = results[1]
        assert code in (0, 2)
        assert code == 0 or any(words in err for words in ("goes on", "is done", "unfinished")), err
        assert service.count - before == 24 - bought
        assert project.bought() == len((tmp_path / "cards" / "results.jsonl").read_text().splitlines()) == 24
