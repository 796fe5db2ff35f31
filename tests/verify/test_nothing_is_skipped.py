"""With `CI=true` a test that is skipped fails, so that something missing cannot hide."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SKIPS = {
    "a mark": "@pytest.mark.skipif(True, reason='no node')\ndef test_it(): pass",
    "a call": "def test_it(): pytest.skip('no node')",
    "a module": "pytest.skip('no node', allow_module_level=True)",
    "a fixture": "@pytest.fixture\ndef node(): pytest.skip('no node')\ndef test_it(node): pass",
    "an import": "pytest.importorskip('no_node_here', reason='no node')\ndef test_it(): pass",
}


def outcome(folder: Path, test: str, ci: str) -> tuple[int, str]:
    shutil.copy(CONFTEST, folder)
    (folder / "test_one.py").write_text(f"import pytest\n{test}\ndef test_other(): pass\n")
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return found.returncode, found.stdout


@pytest.mark.parametrize("test", SKIPS.values(), ids=SKIPS)
def test_a_skipped_test_fails_where_everything_must_be_there(tmp_path: Path, test: str) -> None:
    status, shown = outcome(tmp_path, test, "true")
    assert status != 0
    assert "skipped, which fails with CI=true" in shown
    assert "no node" in shown


@pytest.mark.parametrize("test", SKIPS.values(), ids=SKIPS)
def test_elsewhere_it_is_skipped(tmp_path: Path, test: str) -> None:
    status, shown = outcome(tmp_path, test, "")
    assert status in (0, 5)  # 5: the whole module was skipped, so nothing was collected
    assert "1 skipped" in shown


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    status, shown = outcome(tmp_path, "@pytest.mark.xfail(strict=True)\ndef test_it(): assert 0", "true")
    assert (status, "1 xfailed" in shown) == (0, True)
