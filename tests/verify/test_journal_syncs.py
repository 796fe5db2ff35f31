"""What the disk is asked to take for each paid request, counted by the system: the journal before it is sent, then the
picture, its name, and the journal with whatever comes next. Requests that begin or end together share it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from counting_service import CountingService

REQUESTS = 40
OF_A_RUN = 30
"""Making the file and its tables, the names of the folders that lead to it, the end of the run, and closing it."""
FLOW = """\
- step: FOR
  var: i
  start: 1
  end: 40
  concurrency: {concurrency}
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      size: 1024x1024
      quality: low
      instruction: "boat {{{{ flowContext.i }}}}"
"""
pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, which counts calls of the system")


def synced(folder: Path, concurrency: int) -> list[str]:
    """The files that a run of 40 requests has had synced, in order."""
    (folder / "boats.flow.yaml").write_text(FLOW.format(concurrency=concurrency), encoding="utf-8")
    traced = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(folder / "trace")]
    with CountingService(delay_s=(0.0, 0.01)) as service:
        ran = subprocess.run(
            [*traced, sys.executable, "-m", "flowdsl.cli", "run", "boats.flow.yaml", "--quiet"],
            cwd=folder,
            env={**os.environ, **service.variables(), "FLOWDSL_STATE": str(folder / "state")},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert service.count == REQUESTS
    lines = (folder / "trace").read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.split("<", 1)[1].split(">", 1)[0] for line in lines if "sync(" in line]


def test_a_request_costs_at_most_three_syncs(tmp_path: Path) -> None:
    files = synced(tmp_path, 1)
    assert len(files) <= 3 * REQUESTS + OF_A_RUN
    pictures = [name for name in files if name.endswith(".gif")]
    assert len(set(pictures)) == REQUESTS
    journal = [name for name in files if name.endswith("journal.sqlite-wal")]
    assert REQUESTS <= len(journal) <= REQUESTS + OF_A_RUN


def test_requests_that_begin_together_share_a_sync_of_the_journal(tmp_path: Path) -> None:
    files = synced(tmp_path, 40)
    assert len([name for name in files if name.endswith("journal.sqlite-wal")]) < REQUESTS / 2
