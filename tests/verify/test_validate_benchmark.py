"""The benchmark of validation runs from end to end with small counts; no figure of it is judged here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import validate
from benchmarks.linters import cloudformation_text, installed, workflow_text


def test_the_benchmark_of_validation_runs_with_the_peers_that_are_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME", ""))  # put back afterwards
    names = [linter.name for linter in installed(Path("flow.schema.json"))]
    monkeypatch.setattr(validate, "installed", lambda schema: [each._replace(files=2) for each in installed(schema)])
    for name, value in {"FILES": 2, "COLD_RUNS": 1, "LINTER_RUNS": 1, "SIZES": (4, 8)}.items():
        monkeypatch.setattr(validate, name, value)
    validate.main()
    printed = capsys.readouterr().out
    assert "One file, 1 processes each" in printed
    assert "2 files of 20 steps" in printed
    assert ("Other checkers" in printed) == bool(names)
    assert all(f"  {name} " in printed for name in names)


def test_files_of_other_languages_are_about_as_long_as_a_flow_of_twenty_steps() -> None:
    lines = len(validate.flow_text(validate.STEPS, 0).splitlines())
    for text in (cloudformation_text(0), workflow_text(0)):
        assert abs(len(text.splitlines()) - lines) <= 5
