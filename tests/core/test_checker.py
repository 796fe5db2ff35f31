"""The checker: each mistake once, none that only follows from another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Field

import flowdsl
from flowdsl import Conflicts, Environment, ExactlyOne, Options, Problem, Step, StepContext, Written


def doubtful(options: Options) -> Iterator[Problem]:
    yield Problem("doubt", "the size is doubtful", key="size", severity="warning")
    if options.has("size"):
        yield Problem("doubt", "the size is still doubtful", key="size", severity="warning")
        yield Problem("bad-size", "the size is wrong", key="size")
        yield Problem("bad-size", "the size is wrong again", key="size")


class Draw(
    Step,
    name="DRAW",
    outputs=("image",),
    rules=(Conflicts("size", "style"), ExactlyOne("prompt", "text")),
):
    """Draw something."""

    n: int = Field(default=1, ge=1, le=4)
    """How often."""
    size: str | None = None
    """How large."""
    style: str | None = Field(default=None, pattern=r"^[a-z]+$")
    """Which style."""
    prompt: str | None = None
    """What."""
    text: str | None = None
    """What, too."""

    def run(self, ctx: StepContext) -> Written:
        return {"image": self.prompt}


class Doubtful(Step, name="DOUBTFUL", check=doubtful):
    """A step with a capability check that has doubts."""

    size: Any = None
    """The size."""

    def run(self, ctx: StepContext) -> Written:
        return None


class Needy(Step, name="NEEDY"):
    """A step that needs two keys."""

    first: str
    """The first key."""
    second: str
    """The second key."""

    def run(self, ctx: StepContext) -> Written:
        return None


ENVIRONMENT = Environment(steps=[Draw, Doubtful, Needy])


def found(text: str, **keywords: Any) -> list[tuple[str, str, str]]:
    """Severity and code, message, and marked text of each finding."""
    findings = flowdsl.check(text, environment=ENVIRONMENT, **keywords)
    return [(f"{f.severity} {f.code}", f.message, f.span.text) for f in findings]


def test_a_key_that_is_wrong_in_itself_is_not_checked_by_rules_too() -> None:
    assert found("- step: DRAW\n  prompt: x\n  n: 9\n  style: A B\n") == [
        ("error out-of-range", "`n` is 9, and must be from 1 to 4", "9"),
        ("error wrong-pattern", "`style` is `A B`, which does not match ^[a-z]+$", "A B"),
    ]


def test_a_key_that_is_already_reported_is_not_reported_again() -> None:
    assert found("- step: DRAW\n  prompt: x\n  size: 5\n  style: vivid\n") == [
        ("error wrong-type", "`size` takes a text, not the integer 5".replace("5", "`5`"), "5"),
        ("error conflicting-keys", "`style` conflicts with `size`", "style"),
    ]


def test_a_warning_does_not_keep_an_error_of_its_key_back() -> None:
    assert found("- step: DOUBTFUL\n  size: 1\n") == [
        ("warning doubt", "the size is doubtful", "1"),
        ("error bad-size", "the size is wrong", "1"),
    ]


def test_every_required_key_is_missed() -> None:
    assert found("- step: NEEDY\n") == [
        ("error missing-key", "NEEDY needs `first`", "NEEDY"),
        ("error missing-key", "NEEDY needs `second`", "NEEDY"),
    ]


def test_a_template_is_checked_when_it_is_resolved_and_counts_as_present() -> None:
    assert found("- step: SET\n  k: 9\n- step: DRAW\n  prompt: x\n  n: '{{ flowContext.k }}'\n") == []
    assert found("- step: DRAW\n  prompt: '{{ inputs | json }}'\n  text: x\n") == [
        (
            "error conflicting-keys",
            "`prompt` and `text` cannot stand together: exactly one of `prompt` or `text` is needed",
            "text",
        )
    ]


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (
            "- step: DRAWW\n  prompt: x\n- step: SET\n  a: '{{ flowContext.image }}'\n",
            [("error unknown-step", "Step not found: DRAWW", "DRAWW")],
        ),
        (
            "- step: DRAW\n  promt: x\n",
            [("error unknown-key", "`promt` is not a key of DRAW", "promt")],
        ),
        (
            "- stp: DRAW\n  prompt: x\n",
            [("error unknown-key", "`stp` is not a key of a step", "stp")],
        ),
        (
            "- step: NEEDY\n\tfirst: x\n  second: y\n",
            [("error tab", "a tab cannot indent YAML", "\t")],
        ),
        (
            "- step: NEEDY\n  first: x\nsecond: y\n",
            [
                (
                    "error misnested-key",
                    "`second` belongs inside the step above, and its indentation puts it outside",
                    "second",
                )
            ],
        ),
        (
            "- step: SET\ntopic: x\n- step: SET\n  a: '{{ flowContext.topic }}'\n",
            [
                (
                    "error misnested-key",
                    "`topic` belongs inside the step above, and its indentation puts it outside",
                    "topic",
                )
            ],
        ),
        (
            "- step: SET\n  a: {{ flowContext.b }}\n- step: SET\n  c: '{{ flowContext.a }}'\n",
            [
                (
                    "error unquoted-template",
                    "a value that starts with a template must be quoted",
                    "{{ flowContext.b }}",
                ),
                (
                    "error undefined-variable",
                    "`flowContext.b` is undefined: no step before this one sets it, and no input declares it",
                    "flowContext.b",
                ),
            ],
        ),
        (
            "- step: SET\n  steps:\n  - step: DRAWW\n    prompt: x\n- step: SET\n  a: '{{ flowContext.image }}'\n",
            [("error unknown-step", "Step not found: DRAWW", "DRAWW")],
        ),
    ],
    ids=["step", "key", "step key", "tab", "misnested", "blanked line", "unquoted template", "inner step"],
)
def test_a_mistake_has_no_findings_that_only_follow_from_it(text: str, findings: list[tuple[str, str, str]]) -> None:
    assert found(text) == findings


def test_an_input_behind_a_malformed_one_is_checked_in_its_own_place() -> None:
    text = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  inputs: [{typ: text}, {type: text, name: topic}]\n"
    assert found(text) == [
        ("error wrong-type", "an entry of `inputs` is a map with `type` and `name`", "{typ: text}"),
        ("error undefined-variable", "`topic` is not set by any step before this one", "topic"),
    ]


def test_keys_the_caller_sets_are_declared() -> None:
    text = "- step: SET\n  a: '{{ flowContext.topic }}'\n"
    assert found(text, declare=["topic"]) == []
    assert found(text) == [
        (
            "error undefined-variable",
            "`flowContext.topic` is undefined: no step before this one sets it, and no input declares it",
            "flowContext.topic",
        )
    ]


def test_an_undefined_name_is_a_warning_in_a_lenient_flow() -> None:
    text = "undefined: lenient\nflow:\n- step: SET\n  a: '{{ flowContext.topic }}'\n"
    assert [severity_and_code for severity_and_code, _, _ in found(text)] == ["warning undefined-variable"]


def test_a_step_reads_only_what_stands_before_it() -> None:
    (finding,) = flowdsl.check("- step: SET\n  a: '{{ flowContext.b }}'\n- step: SET\n  b: 1\n")
    assert (finding.message, finding.hint) == (
        "`flowContext.b` is read before a step sets it",
        "move the step that sets it up",
    )
    assert [(str(related.span), related.message) for related in finding.related] == [("<text>:4:3", "set here, later")]


def test_findings_stand_in_the_order_of_the_file_and_are_counted() -> None:
    findings = flowdsl.check("- step: SET\n  a: 1\n- step: NO\n- step: SET\n  1x: 1\n")
    assert [finding.span.first.line for finding in findings] == [3, 5]
    assert findings[0].to_dict() == {
        "path": "<text>",
        "line": 3,
        "col": 9,
        "end_line": 3,
        "end_col": 11,
        "severity": "error",
        "code": "unknown-step",
        "message": "Step not found: NO",
        "hint": findings[0].hint,
        "related": [],
        "fixes": [],
    }


@pytest.mark.parametrize("step", ["stp", "ste[p"])
def test_a_misspelt_step_that_lacks_a_key_is_told_both(step: str) -> None:
    found = [each.code for each in flowdsl.check(f"- {step}: FOR\n  start: 1\n  end: 3\n  do: []\n")]
    assert found[:2] == ["unknown-key", "missing-key"]
