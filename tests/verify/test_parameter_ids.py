"""Tests are named with plain words, and every process gives them the same names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_pytest(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


def names(folder: Path, **environment: str) -> list[str]:
    found = run_pytest(folder, "-q", "--collect-only", "-o", "addopts=", "-p", "no:flowdsl", **environment)
    assert found.returncode == 0, found.stdout + found.stderr
    return [line for line in found.stdout.splitlines() if "::" in line]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder of tests under the rules of this suite."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    return tmp_path


def test_two_processes_give_the_tests_the_same_names() -> None:
    first = names(ROOT, PYTHONHASHSEED="1")  # the second starts later, so that a time in a name shows too
    assert first == names(ROOT, PYTHONHASHSEED="2")
    assert len(first) > 3000


def test_values_are_named_with_plain_words(suite: Path) -> None:
    values = (
        """["{{ a | b('c') }}", "", "{}", " ", "x" * 99, "größe\\n", b"gzip", re.compile("^a$"), 1, None, {"a": 1}]"""
    )
    (suite / "test_values.py").write_text(
        f"import re\nimport pytest\n@pytest.mark.parametrize('value', {values})\ndef test_it(value): pass\n"
    )
    shown = [name.partition("[")[2].removesuffix("]") for name in names(suite)]
    assert shown == ["a b('c')", "empty0", "value0", "empty1", "x" * 40, "gr e", "value1", "a", "1", "None", "value10"]


@pytest.mark.parametrize(
    "given",
    ["ids=['{{ a }}']", "ids=['gr\\u00f6\\u00dfe']", "ids=['two\\nlines']", "ids=['x' * 121]", "ids=[' ']", "ids=repr"],
)
@pytest.mark.parametrize("processes", ["0", "2"])
def test_an_id_that_is_not_plain_is_refused_before_anything_runs(suite: Path, given: str, processes: str) -> None:
    (suite / "test_ids.py").write_text(
        f"import pytest\n@pytest.mark.parametrize('value', [object], {given})\ndef test_it(value): pass\n"
    )
    found = run_pytest(suite, "-n", processes)
    assert found.returncode != 0
    assert "test_it[" in found.stdout
    assert "a parameter id is plain words, at most 120 letters" in found.stdout
    assert "passed" not in found.stdout
