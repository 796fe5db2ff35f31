"""Spaces that only look like one: named, and mended by their fix."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowdsl
from flowdsl.cli import main
from flowdsl.diagnostics import fixed, render
from flowdsl.source import Source

ODD = "\u00a0"


@pytest.mark.parametrize(
    "flow",
    [
        f"flow:\n{ODD} - step: SET\n    a: 1\n",
        f"flow:\n  - step: SET\n{ODD}{ODD}{ODD}{ODD}a: 1\n",
        f"flow:\n  - step: SET\n  {ODD}{ODD}a: 1\n  {ODD} b: 2\n",
        f"flow:\n  - step: SET\n    a: 1\n   {ODD}b: 2\n",
        "flow:\n  - step: SET\n    a: |\n      x\n\u3000\u2003  b: 2\n",
        f"- step: SET\n{ODD} a:\n{ODD}   - b\n",
    ],
    ids=["dash", "key", "keys", "key after a value", "key after a text", "list"],
)
def test_foreign_spaces_that_indent_are_one_finding_whose_fix_mends_the_file(flow: str) -> None:
    source = Source(flow)
    (finding,) = flowdsl.check(source)
    assert (finding.code, finding.severity, finding.hint) == ("indentation", "error", "indent with spaces")
    assert "cannot indent YAML" in finding.message
    (fix,) = finding.fixes
    assert flowdsl.check(Source(fixed(source, fix))) == []


@pytest.mark.parametrize(
    "flow",
    [
        f"- step: SET\n  a: |\n    x\n    {ODD}b: 2\n  c: 1\n",
        f"- step: SET\n  a: >-  # a text\n    x\n\n    {ODD} - b\n",
        f'- step: SET\n  a: "x\n    {ODD}b: 2"\n',
        f"- step: SET\n  a: x {ODD} y\n",
    ],
    ids=["literal", "folded", "quoted", "inside"],
)
def test_foreign_spaces_in_a_text_are_text(flow: str) -> None:
    assert flowdsl.check(flow) == []


def test_a_foreign_space_behind_a_colon_is_named_and_mended() -> None:
    source = Source(f"- step: SET\n  a:{ODD}1\n")
    (finding,) = flowdsl.check(source)
    assert finding.message == "U+00A0, no-break space, stands behind the colon, where YAML needs a space"
    assert finding.hint == "write a space in its place: `a: 1`"
    assert fixed(source, finding.fixes[0]) == "- step: SET\n  a: 1\n"


def test_many_foreign_spaces_take_no_time() -> None:
    flow = "a: |\n" + f"  {ODD}b: 1\n" * 20_000
    assert len(render(flowdsl.check(flow))) < 2000


@pytest.mark.parametrize("text", ['{"a": 1,}', '{"a": 1 ,\n}', '{"a": [1, 2,]}'], ids=["map", "lines", "list"])
def test_a_trailing_comma_in_json_is_named(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(text)
    flow = tmp_path / "a.flow.yaml"
    flow.write_text("inputs: {a: {}}\nflow:\n  - {step: SET, b: '{{ inputs.a }}'}\n")
    assert main(["run", str(flow), "--inputs", str(tmp_path / "a.json")]) == 1
    shown = capsys.readouterr().err
    assert "error: this is not JSON: a trailing comma [json-syntax]" in shown
    assert "hint: remove the comma" in shown


def test_a_size_of_width_and_height_is_written_as_one_text() -> None:
    step = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: a"
    flow = f"{step}\n  size: {{width: 1024, height: 1536}}\n"
    (finding,) = flowdsl.check(flow)
    assert finding.hint == 'write `size: "1024x1536"`'
    assert flowdsl.check(fixed(finding.span.source, finding.fixes[0])) == []
