"""A journal on a disk that is full, has no room for another file, or may not be written: nothing is sent that could not
be written down before, and what was is found when there is room again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from counting_service import CountingService

from flowdsl.journal.journal import Journal

REQUESTS = 30
FLOW = """\
- step: FOR
  var: i
  start: 1
  end: 30
  concurrency: 3
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      size: 1024x1024
      quality: low
      instruction: "boat {{ flowContext.i }} LONG"
""".replace("LONG", "and its sail " * 50)
DISKS = {
    "4k": ("size=4k", "true"),
    "64k": ("size=64k", "true"),
    "160k": ("size=160k", "true"),
    "300k": ("size=300k", "true"),
    "no inodes": ("size=1m,nr_inodes=1", "true"),
    "one inode": ("size=1m,nr_inodes=2", "true"),
    "three inodes": ("size=1m,nr_inodes=4", "true"),
    "read-only": ("size=1m", "mount -o remount,ro state"),
}
pytestmark = pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, for a disk of its own")


@pytest.fixture
def service() -> CountingService:
    return CountingService(delay_s=(0.0, 0.01))


def command(*arguments: str) -> str:
    return " ".join([sys.executable, "-m", "flowdsl.cli", *arguments])


def ended(folder: Path, service: CountingService, *shell: str, state: str = "state") -> tuple[int, str]:
    ran = subprocess.run(
        shell,
        cwd=folder,
        env={**os.environ, **service.variables(), "FLOWDSL_STATE": str(folder / state)},
        capture_output=True,
        timeout=120,
        check=False,
        text=True,
    )
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("disk", DISKS)
def test_what_a_disk_does_not_take_is_not_sent_and_nothing_is_lost(
    disk: str, tmp_path: Path, service: CountingService
) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "state").mkdir()
    (tmp_path / "kept").mkdir()
    options, before = DISKS[disk]
    run = command("run", "a.flow.yaml", "--quiet")
    script = f"mount -t tmpfs -o {options} tmpfs state && {before} && {{ {run}; }}; code=$?; "
    script += "cp -a state/. kept; exit $code"
    with service:
        code, err = ended(tmp_path, service, "unshare", "-Urm", "sh", "-c", script)
        assert code == 4, err
        asked = Counter(service.asked)
        assert asked.total() < REQUESTS
        assert "[journal-full]" in err or (disk == "read-only" and "[journal-unwritable]" in err), err
        assert "--no-journal" in err
        assert "Traceback" not in err

        with Journal(tmp_path / "kept") as journal:  # as if there were more room
            runs = journal.runs.all()
            requests = journal.runs.requests(runs[0].id) if runs else []
        kept = Counter(each.request["prompt"].strip() for each in requests if each.state == "ok" or each.blocks)
        assert not Counter(prompt.strip() for prompt in asked) - kept
        ok = sum(each.state == "ok" for each in requests)
        if runs:
            assert "flowdsl resume" in err
            code, err = ended(tmp_path, service, "sh", "-c", command("resume", "--yes", "--resend"), state="kept")
        else:
            assert not asked
            assert "flowdsl resume" not in err
            code, err = ended(tmp_path, service, "sh", "-c", command("run", "a.flow.yaml"), state="kept")
        assert code == 0, err
        assert service.count - asked.total() == REQUESTS - ok
