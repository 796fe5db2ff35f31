"""Pyright sees through the public surface as mypy does, where node and the package are at hand."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PYRIGHT = Path(__file__).parents[2] / "scripts" / "node_modules" / "pyright" / "index.js"
HOST = """\
import flowdsl

flowdsl.nosuch
flowdsl.run("a.flow.yaml").nosuch
flowdsl.run("a.flow.yaml").images[0].path
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(not PYRIGHT.is_file(), reason="no pyright: npm ci --prefix scripts")
def test_a_name_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    (tmp_path / "host.py").write_text(HOST, encoding="utf-8")
    command = ["node", str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable, "host.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    found = [one for one in json.loads(done.stdout)["generalDiagnostics"] if one["severity"] == "error"]
    assert [(one["range"]["start"]["line"], one["rule"]) for one in found] == [
        (2, "reportAttributeAccessIssue"),
        (3, "reportAttributeAccessIssue"),
    ]
