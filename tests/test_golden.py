"""Golden files: `ok/` is silent, `bad/` says exactly what its .txt says, `run/` gives exactly what its .json says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import flowdsl

AS_OF = date(2026, 11, 21)
GOLDEN = Path(__file__).parent / "golden"


def findings(path: Path) -> str:
    diagnostics = flowdsl.check(path, environment=flowdsl.Environment(as_of=AS_OF))
    return flowdsl.render(diagnostics).replace(str(path), path.name) + "\n"


@pytest.mark.parametrize("path", sorted((GOLDEN / "ok").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_right_flow_is_silent(path: Path) -> None:
    assert findings(path) == "\n"


@pytest.mark.parametrize("path", sorted((GOLDEN / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_wrong_flow_has_exactly_these_findings(path: Path, update_golden: bool) -> None:
    found = findings(path)
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")
