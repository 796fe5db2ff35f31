"""What was noted is in the result, whether or not somebody listens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import flowdsl
from flowdsl import Problem


def doubtful(options: flowdsl.Options) -> Iterable[Problem]:
    """Warns of much."""
    if options.value("n") == 9:
        yield Problem("much", "that is much", key="n", severity="warning")


class Counter(flowdsl.Step, name="COUNTER", check=doubtful):
    """Takes a number."""

    n: int
    """The number."""

    def run(self, ctx: flowdsl.StepContext) -> None:
        """Does nothing with it."""


@pytest.mark.parametrize("listener", [None, lambda event: None], ids=["alone", "heard"])
def test_a_warning_that_only_the_run_finds_is_in_the_result_without_a_listener(listener: Any) -> None:
    environment = flowdsl.Environment(steps=[Counter])
    result = environment.run('- step: COUNTER\n  n: "{{ 8 + 1 }}"\n', on_event=listener)
    assert result.notes == (("much", "that is much"),)
