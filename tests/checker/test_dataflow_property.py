"""What the checker says of random flows, against what the engine does with them."""

from __future__ import annotations

import sys
from random import Random

import pytest
import yaml
from flow_grammar import Grammar
from hypothesis import given, settings
from hypothesis import strategies as st

import flowdsl

FAULTS = {
    "undefined-variable",
    "maybe-undefined",
    "unknown-member",
    "wrong-type",
    "undefined-block",
    "undefined-input",
    "unknown-flow",
}
"""The findings about values that are not there, or are something else than they are used as."""
ENVIRONMENT = flowdsl.Environment(limits=flowdsl.Limits(steps=2_000))


def flow_of(seed: int, wild: float) -> str:
    return yaml.safe_dump(Grammar(Random(seed), wild).document(), sort_keys=False)


def failures(text: str) -> list[str]:
    """The errors of a run that are the author's, caught ones included."""
    found: list[str] = []

    def look(event: flowdsl.Event) -> None:
        if isinstance(event, flowdsl.StepFailed) and isinstance(
            event.error, (flowdsl.TemplateError, flowdsl.ConfigError)
        ):
            found.append(f"{event.path}: {event.error}")

    try:
        ENVIRONMENT.run(text, on_event=look)
    except (flowdsl.TemplateError, flowdsl.ConfigError) as error:
        found.append(f"outputs: {error}")
    except flowdsl.RunError:
        pass  # RAISE, and loops over their limit
    return found


@pytest.mark.long
@given(st.integers(0, 10**9), st.sampled_from((0.05, 0.15)))
@settings(max_examples=60, deadline=None)
def test_a_flow_that_checks_clean_meets_nothing_undefined_and_no_wrong_type_when_it_runs(
    seed: int, wild: float
) -> None:
    text = flow_of(seed, wild)
    diagnostics = ENVIRONMENT.check(text)
    if not any(found.code in FAULTS for found in diagnostics):
        assert failures(text) == []


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_a_flow_that_is_right_by_construction_has_no_finding_and_runs(seed: int) -> None:
    text = flow_of(seed, 0)
    faults = [found for found in ENVIRONMENT.check(text) if found.code in FAULTS or found.severity == "error"]
    assert flowdsl.render(faults) == ""
    assert failures(text) == []


if __name__ == "__main__":  # python tests/checker/test_dataflow_property.py [N]: the long run, N flows of each kind
    clean = test_a_flow_that_checks_clean_meets_nothing_undefined_and_no_wrong_type_when_it_runs
    right = test_a_flow_that_is_right_by_construction_has_no_finding_and_runs
    for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000):
        clean.hypothesis.inner_test(number, 0.15 if number % 2 else 0.05)  # type: ignore[attr-defined]  # the test itself
        right.hypothesis.inner_test(number)  # type: ignore[attr-defined]
