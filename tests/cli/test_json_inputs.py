"""Inputs in JSON that could mean two things, or are no JSON, are errors with a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n "a": 2}', "inputs.json:2:2: error: `a` is given twice"),
        ('{"m": {"x": 1,\n "x": 2}}', "inputs.json:2:2: error: `x` is given twice"),
        ('{"f":\n NaN}', "inputs.json:2:2: error: this is not JSON: NaN is no number of JSON"),
        ('{"f":\n ' + "[" * 100_000 + "]" * 100_000 + "}", "lists and maps stand too deep in one another"),
        ('{"f":\n ' + "9" * 5000 + "}", "inputs.json:2:2: error: this number has more digits than are read"),
        ('{"f": [1, -Infinity]}', "this is not JSON: -Infinity is no number of JSON"),
    ],
)
def test_it_is_an_error_with_its_place(
    text: str, said: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("inputs.json").write_text(text, encoding="utf-8")
    Path("a.flow.yaml").write_text("- step: SET\n  text: a\n", encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--inputs", "inputs.json"]) == 1
    assert said in capsys.readouterr().err
