"""Advice that works: one message for one mistake, and what its hint says, applied, mends it."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowdsl import Diagnostic, Environment, Fix
from flowdsl.diagnostics import fixed
from flowdsl.source import Source
from flowdsl.syntax.yaml_reader import read_bytes

HERE = Path(__file__).parent
ENVIRONMENT = Environment(as_of=date(2026, 11, 21))
CASES: list[dict[str, Any]] = yaml.safe_load((HERE / "advice.yaml").read_text(encoding="utf-8"))
BAD = sorted((HERE.parent / "golden" / "bad").glob("*.yaml"))
HIDES = {
    *("yaml-syntax", "tab", "indentation", "misnested-key", "not-a-flow"),
    *("missing-key", "unknown-step", "unknown-key", "duplicate-key", "conflicting-keys"),
}
"""What keeps other mistakes from being seen."""


def checked(text: str) -> list[Diagnostic]:
    return ENVIRONMENT.check(Source(text))


def edited(case: dict[str, Any]) -> str:
    """The flow of a case as somebody writes it who follows the hint."""
    text: str = case["flow"]
    pairs = case["edited"]
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_one_mistake_has_one_message_and_its_advice_mends_it(case: dict[str, Any]) -> None:
    source = Source(case["flow"])
    found = ENVIRONMENT.check(source)
    assert len(found) == 1, [(each.code, each.message) for each in found]
    (finding,) = found
    if "without" in case:
        assert not finding.fixes
        return
    assert finding.hint is not None
    texts = [edited(case)] if "edited" in case else [fixed(source, fix) for fix in finding.fixes]
    assert texts, finding.hint
    for text in texts:
        assert [(each.code, each.message) for each in checked(text) if each.severity != "note"] == []


def _read(path: Path) -> tuple[Source, list[Diagnostic]]:
    source, found = read_bytes(path.read_bytes(), str(path))
    return source, found or ENVIRONMENT.check(source)


def _fault(source: Source, found: list[Diagnostic], finding: Diagnostic, fix: Fix) -> str | None:
    after = ENVIRONMENT.check(Source(fixed(source, fix), source.path))
    before, now = (Counter((each.code, each.message) for each in group) for group in (found, after))
    if now[finding.code, finding.message] >= before[finding.code, finding.message]:
        return "stays"
    errors = [each for each in after if each.severity == "error"]
    new = [each.code for each in errors if each.code not in {other.code for other in found}]
    return f"new: {new}" if new and not any(each.code in HIDES for each in found) else None


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_fix_of_a_wrong_flow_leaves_one_mistake_less(path: Path) -> None:
    source, found = _read(path)
    faults = [
        (finding.code, fix.title, fault)
        for finding in found
        for fix in finding.fixes
        if (fault := _fault(source, found, finding, fix)) is not None
    ]
    assert faults == []


def test_most_advice_can_be_applied() -> None:
    applied = sum("without" not in case for case in CASES)
    hinted = [finding for path in BAD for finding in _read(path)[1]]
    fixes = sum(bool(finding.fixes) for finding in hinted)
    print(f"{applied} of {len(CASES)} inputs are mended by their advice")
    print(f"{fixes} of {len(hinted)} findings of {len(BAD)} wrong flows have a fix")
    print(*(f"{case['name']}: {case['without']}" for case in CASES if "without" in case), sep="\n")
    assert len(CASES) + len(BAD) >= 120
    assert len(CASES) >= 120
    assert applied / len(CASES) > 0.85
