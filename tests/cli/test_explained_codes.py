"""`flowdsl explain CODE`: what a code means, wherever flowdsl is installed and without an address of the web."""

from __future__ import annotations

import json

import pytest

from flowdsl.cli import main
from flowdsl.codes import CODES, FINDINGS, address
from flowdsl.reference.explained import example, findings_of, why

NO_FLOW = frozenset(("csv-syntax", "missing-extra", "unstable-value", "no-standard-input"))
"""Findings of a table of inputs, of an installation, of a value that no model has today, of a flow that is served."""


@pytest.mark.parametrize("code", [code.name for code in FINDINGS if code.name not in NO_FLOW])
def test_the_example_of_a_finding_gives_it_and_its_fix_takes_it_away(code: str) -> None:
    shown = example(code)
    assert shown is not None
    assert f"[{code}]" in shown.said
    if shown.fixed is not None:
        mended = shown.fixed if shown.files is None else {**shown.files, next(iter(shown.files)): shown.fixed}
        before = sum(one.code == code for one in findings_of(shown.files or shown.text))
        assert sum(one.code == code for one in findings_of(mended)) < before


@pytest.mark.long
def test_every_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for code in CODES.values():
        assert main(["explain", code.name]) == 0
        head, meaning, reason, *_, url = capsys.readouterr().out.splitlines()
        assert head == f"{code.name}: {' or '.join((code.severity, *code.also))}"
        assert (meaning.strip(), reason.strip(), url) == (code.meaning, why(code.name), address(code.name))


def test_the_explanation_has_an_example_what_is_said_of_it_and_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "unknown-step"]) == 0
    assert capsys.readouterr().out == EXPLAINED.format(reason=why("unknown-step"))


EXPLAINED = """\
unknown-step: error
  No step has this name.
  {reason}

example
  - step: SOT
    text: a

what is said of it
  example.flow.yaml:1:9: error: Step not found: SOT [unknown-step]
     1 | - step: SOT
       |         ^^^
    hint: did you mean `SET`?

with the fix: write `SET`
  - step: SET
    text: a

https://flowdsl.readthedocs.io/en/stable/findings/unknown-step.html
"""


def test_the_code_of_a_finding_leads_to_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    import flowdsl

    (finding,) = flowdsl.check("- step: SOT\n")
    assert main(["explain", finding.to_dict()["code"], "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["example"]["fixed"] == "- step: SET\n  text: a\n"
    assert {name: said[name] for name in ("code", "severity", "also", "meaning", "since")} == {
        "code": "unknown-step",
        "severity": "error",
        "also": [],
        "meaning": CODES["unknown-step"].meaning,
        "since": "0.1.0",
    }


def test_a_code_that_does_not_exist_is_hinted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "unkown-step"]) == 2
    assert "did you mean `unknown-step`?" in capsys.readouterr().err
