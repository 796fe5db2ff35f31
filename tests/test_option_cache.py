"""Equal options are checked once, and options that only look equal are not."""

from __future__ import annotations

from flowdsl import Environment
from flowdsl.checker import option_cache

STEP = "- step: OPENAI_IMAGE_GENERATION\n  instruction: a lighthouse\n  model: gpt-image-2\n  n: {n}\n"


def findings(text: str, services: dict[str, dict[str, object]] | None = None) -> list[tuple[int, str]]:
    """Line and message of each finding."""
    found = Environment(services=services or {}).check(text)
    return [(finding.span.first.line, finding.message) for finding in found]


def test_a_mistake_that_stands_twice_is_reported_at_both_places() -> None:
    message = "`n` is 99, and the step accepts at most 4"
    assert [line for line, reported in findings(STEP.format(n=99) * 2) if reported == message] == [4, 8]


def test_true_and_one_are_checked_apart() -> None:
    one = findings(STEP.format(n=1))
    assert findings(STEP.format(n="true")) == [*one, (4, "`n` takes a whole number, not the boolean true")]
    assert findings(STEP.format(n=1)) == one


def test_a_service_that_lifts_a_limit_is_checked_apart() -> None:
    lifted = findings(STEP.format(n=7), {"OPENAI_IMAGE_GENERATION": {"limits": "api"}})
    assert findings(STEP.format(n=7)) == [*lifted, (4, "`n` is 7, and the step accepts at most 4")]


def test_no_more_than_so_many_results_are_kept() -> None:
    for number in range(option_cache.MOST + 2):
        findings(STEP.format(n=1).replace("lighthouse", f"lighthouse {number}"))
    assert len(option_cache._known) <= option_cache.MOST


def test_a_wrong_name_of_an_output_is_found_though_a_right_one_is_not_looked_at_again() -> None:
    named = STEP + "  outputKey: {name}\n"
    assert findings(named.format(n=99, name="a")) == findings(named.format(n=99, name="b"))
    wrong = [message for _, message in findings(named.format(n=1, name="not-a-name"))]
    assert wrong == ["`outputKey` is `not-a-name`, which does not match ^[a-zA-Z_][a-zA-Z0-9_]*$"]


def test_steps_that_differ_in_the_name_of_their_output_are_checked_once() -> None:
    findings(STEP.format(n=2) + "  outputKey: first\n")
    known = len(option_cache._known)
    findings(STEP.format(n=2) + "  outputKey: second\n")
    assert len(option_cache._known) == known
