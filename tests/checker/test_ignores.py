"""Comments that leave findings out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import flowdsl
from flowdsl.checker.ignores import OF_CALLERS
from flowdsl.codes import FINDINGS
from flowdsl.diagnostics import fixed
from flowdsl.source import Source

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


def found(text: str) -> list[tuple[str, int]]:
    return [(one.code, one.span.first.line) for one in flowdsl.check(text)]


@pytest.mark.parametrize(
    "text",
    [
        "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[single-braces]\n",
        "- step: SET\n  a: 1\n  # flowdsl: ignore[single-braces] a reason\n  text: '{a}'\n",
        "- step: SET\n  a: 1\n  # flowdsl: ignore[single-braces]\n  # another comment\n\n  text: '{a}'\n",
        "- step: SET\n  a: 1\n  #flowdsl:ignore[ single-braces , ]\n  text: '{a}'\n",
        "- step: SET\r\n  a: 1\r\n  text: '{a}'  # flowdsl: ignore[single-braces]\r\n",
        "- step: SET\n  a: 1\n  # flowdsl: ignore[single-braces]\n  text: >\n    one\n    {a}\n",
        "- step: SET\n  a: 1\n  text: >-  # flowdsl: ignore[single-braces]\n    one\n    {a}\n",
    ],
    ids=[
        "behind it",
        "above it",
        "above other comments",
        "without blanks",
        "with CRLF",
        "above a text of lines",
        "behind the sign of a text of lines",
    ],
)
def test_a_comment_leaves_out_what_is_found_on_its_line(text: str) -> None:
    assert ("single-braces", 3) in found("- step: SET\n  a: 1\n  text: '{a}'\n")
    assert found(text) == []


def test_a_comment_counts_for_no_other_line_and_no_other_code() -> None:
    text = "- step: SET\n  a: 1\n  # flowdsl: ignore[single-braces]\n  text: '{a}'\n  note: '{a}'\n"
    assert found(text) == [("single-braces", 5)]
    text = "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[fan-out]\n"
    assert found(text) == [("single-braces", 3), ("unused-ignore", 3)]


def test_a_comment_inside_a_text_is_none() -> None:
    assert found("- step: SET\n  text: |\n    a  # flowdsl: ignore[nosuch]\n") == []
    assert found("- step: SET\n  text: 'a # flowdsl: ignore[nosuch]'\n") == []


def test_an_error_stays_and_the_comment_is_told() -> None:
    text = "- step: SOT  # flowdsl: ignore[unknown-step]\n"
    assert found(text) == [("unknown-step", 1), ("unused-ignore", 1)]


def test_a_comment_does_not_ignore_where_a_secret_goes() -> None:
    entry = f"services:\n  A:\n    provider: openai\n    apiKey: {KEY}  # flowdsl: ignore[plain-secret]\n"
    text = f"{entry}flow:\n  - step: SET\n    text: a\n"
    codes = [code for code, _ in found(text)]
    assert "plain-secret" in codes
    assert "unused-ignore" in codes


@pytest.mark.parametrize(
    ("text", "code", "after"),
    [
        ("- step: SET\n  text: a  # flowdsl: ignore[fan-out] why\n", "unused-ignore", "- step: SET\n  text: a\n"),
        ("# flowdsl: ignore[fan-out]\n- step: SET\n  text: a\n", "unused-ignore", "- step: SET\n  text: a\n"),
        (
            "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[fan-out, single-braces]\n",
            "unused-ignore",
            "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[single-braces]\n",
        ),
        (
            "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[single-braces, fan-out]\n",
            "unused-ignore",
            "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[single-braces]\n",
        ),
        (
            "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[single-brace] why\n",
            "unknown-code",
            "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[single-braces] why\n",
        ),
        (
            "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore\n",
            "ignore-without-code",
            "- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[single-braces]\n",
        ),
        ("- step: SET\n  text: a\n# flowdsl: ignore[]", "ignore-without-code", "- step: SET\n  text: a\n"),
    ],
    ids=["behind", "above", "the first", "the last", "misspelt", "without brackets", "at the end"],
)
def test_what_is_wrong_with_a_comment_has_a_fix(text: str, code: str, after: str) -> None:
    source = Source(text)
    wrong = next(one for one in flowdsl.check(source) if one.code == code)
    assert fixed(source, wrong.fixes[0]) == after
    assert not {"unused-ignore", "unknown-code", "ignore-without-code"} & {one.code for one in flowdsl.check(after)}


def test_a_comment_of_a_module_may_be_for_those_who_import_it() -> None:
    module = "blocks:\n  flows:\n    a:\n      - {step: SET, text: a}  # flowdsl: ignore[maybe-undefined, fan-ot]\n"
    assert found(module) == [("unknown-code", 4)]


def test_a_comment_of_a_module_that_no_importer_can_need_is_told() -> None:
    module = (
        "blocks:\n  flows:\n    a:\n      - step: OPENAI_IMAGE_GENERATION\n"
        "        model: gpt-image-2  # flowdsl: ignore[unknown-model]\n        instruction: a kite\n"
    )
    assert found(module) == [("unused-ignore", 5)]
    assert found(module.replace("gpt-image-2", "our-own-model")) == []


def test_what_depends_on_who_calls_a_flow_is_what_following_its_paths_gives() -> None:
    """Each code that stands in the modules that follow paths; the step's own options are the same for every caller."""
    folder = Path(flowdsl.__file__).parent / "checker"
    files = [file for room in ("flow", "names", "types") for file in sorted((folder / room).rglob("*.py"))]
    said = {word for file in files for word in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', file.read_text(encoding="utf-8"))}
    usual = {each.name: each.severity for each in FINDINGS}
    found_by_others = {"single-braces", "foreign-syntax"}  # `unused` asks only whether they were found
    assert {word for word in said if usual.get(word, "error") != "error"} - found_by_others == OF_CALLERS


def test_a_code_of_a_step_of_somebody_else_can_be_ignored() -> None:
    def too_blue(options: flowdsl.Options) -> list[flowdsl.Problem]:
        return [flowdsl.Problem("too-blue", "too blue", key="color", severity="warning")]

    class Paint(flowdsl.Step, name="PAINT", check=too_blue):
        """Paint a wall."""

        color: str

        def run(self, ctx: flowdsl.StepContext) -> None:
            """Do nothing."""

    environment = flowdsl.Environment(steps=[Paint])
    assert [one.code for one in environment.check("- step: PAINT\n  color: blue\n")] == ["too-blue"]
    assert environment.check("- step: PAINT\n  color: blue  # flowdsl: ignore[too-blue]\n") == []


def test_a_run_does_not_warn_of_what_is_ignored() -> None:
    flow = flowdsl.load("- step: SET\n  a: 1\n  text: '{a}'  # flowdsl: ignore[single-braces]\n")
    assert flow.diagnostics == ()
