"""`flowdsl explain CODE`: what a code means, wherever flowdsl is installed and without an address of the web."""

from __future__ import annotations

import json

import pytest

from flowdsl.cli import main
from flowdsl.codes import CODES


def test_every_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for code in CODES.values():
        assert main(["explain", code.name]) == 0
        head, meaning = capsys.readouterr().out.splitlines()
        assert head == f"{code.name}: {' or '.join((code.severity, *code.also))}"
        assert meaning.strip() == code.meaning


def test_the_code_of_a_finding_leads_to_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    import flowdsl

    (finding,) = flowdsl.check("- step: SOT\n")
    assert main(["explain", finding.to_dict()["code"], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "code": "unknown-step",
        "severity": "error",
        "also": [],
        "meaning": CODES["unknown-step"].meaning,
        "since": "0.1.0",
    }


def test_a_code_that_does_not_exist_is_hinted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "unkown-step"]) == 2
    assert "did you mean `unknown-step`?" in capsys.readouterr().err
