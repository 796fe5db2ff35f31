"""The fuzzing of `fuzz_check.py` with more documents than in the daily tests, the same ones each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "fuzz" / "fuzz_check.py"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_documents_of_each_kind_raise_nothing(seed: int) -> None:
    found = subprocess.run(
        [sys.executable, str(SCRIPT), "1000", str(seed)], capture_output=True, text=True, timeout=1200
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert [line.endswith(" 0 bugs") for line in found.stdout.splitlines()] == [True, True]
