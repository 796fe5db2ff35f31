"""Files of inputs that nobody meant well: each is refused at its place, and none is a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = "inputs:\n  x: {type: array}\nflow:\n  - {step: SET, y: 1}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "1:1: error: lists and maps stand too deep in one another"),
        ('{"a":' * 100_000, "1:1: error: lists and maps stand too deep in one another"),
        (f"[\n{'9' * 6000}]", "2:1: error: this number has more digits than are read"),
    ],
    ids=["lists", "maps", "digits"],
)
def test_json_that_is_too_deep_or_too_long_a_number_is_refused_at_its_place(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW)
    (tmp_path / "x.json").write_text(text)
    assert main(["run", str(tmp_path / "a.flow.yaml"), "-i", f"x=@{tmp_path / 'x.json'}"]) == 1
    assert f"x.json:{said}" in capsys.readouterr().err
