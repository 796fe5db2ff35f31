"""The files in docs/deploy, by the tools that read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parent.parent.parent / "docs" / "deploy"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "flowdsl-serve.service").read_text(encoding="utf-8")
    unit = tmp_path / "flowdsl-serve.service"
    unit.write_text(
        text.replace("/opt/flowdsl/bin/flowdsl", f"{Path(sys.executable).parent}/flowdsl"), encoding="utf-8"
    )
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    own = [line for line in found.stderr.splitlines() if "flowdsl-serve" in line and "not found" not in line]
    assert own == [], found.stderr


def test_the_options_that_the_files_name_exist() -> None:
    from flowdsl.cli.serve import parser

    known = parser()._option_string_actions
    for name in ("flowdsl-serve.service", "Containerfile"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        command = next(line for line in text.splitlines() if line.startswith(("ExecStart=", "CMD ")))
        options = [word.strip('",]') for word in command.split() if word.strip('",]').startswith("--")]
        assert options and set(options) <= known.keys()
