"""PARALLEL and concurrent FOR really run side by side, as many as they may and no more."""

from __future__ import annotations

import pytest

import flowdsl
from control.steps import Gauge, busy_step


def peak(text: str) -> int:
    """How many BUSY steps of a flow were at work at most."""
    gauge = Gauge()
    environment = flowdsl.Environment(steps=(busy_step(gauge),))
    environment.run(text)
    assert gauge.now == 0
    return gauge.peak


@pytest.mark.parametrize(("concurrency", "expected"), [(1, 1), (2, 2), (5, 5), (256, 9)])
def test_a_for_runs_as_many_iterations_side_by_side_as_it_may(concurrency: int, expected: int) -> None:
    text = f"""
- step: FOR
  var: i
  start: 1
  end: 9
  concurrency: {concurrency}
  do: [{{step: BUSY}}]
"""
    assert peak(text) == expected


@pytest.mark.parametrize(("concurrency", "expected"), [("", 4), ("  concurrency: 1\n", 1), ("  concurrency: 3\n", 3)])
def test_a_parallel_runs_all_lists_side_by_side_by_default(concurrency: str, expected: int) -> None:
    lists = "    - [{step: BUSY}, {step: BUSY}]\n" * 4
    assert peak(f"- step: PARALLEL\n{concurrency}  steps:\n{lists}") == expected


def test_side_by_side_inside_side_by_side_multiplies() -> None:
    text = """
- step: PARALLEL
  steps:
    - [{step: FOR, var: i, start: 1, end: 6, concurrency: 3, do: [{step: BUSY}]}]
    - [{step: FOR, var: i, start: 1, end: 6, concurrency: 2, do: [{step: BUSY}]}]
"""
    assert peak(text) == 5


def test_a_parallel_starts_every_list_although_one_fails_at_once() -> None:
    events: list[flowdsl.Event] = []
    environment = flowdsl.Environment()
    text = """
- step: PARALLEL
  concurrency: 1
  steps:
    - [{step: RAISE, message: first}]
    - [{step: RAISE, message: second}]
    - [{step: SET, third: done}]
"""
    with pytest.raises(flowdsl.StepError, match=r"^first$") as caught:
        environment.run(text, on_event=events.append)
    assert caught.value.path == "flow[0].steps[0][0]"
    started = [event.path for event in events if isinstance(event, flowdsl.StepStarted)]
    assert started == ["flow[0]", "flow[0].steps[0][0]", "flow[0].steps[1][0]", "flow[0].steps[2][0]"]


def test_vars_read_the_copy_of_their_own_branch() -> None:
    text = """
blocks:
  vars:
    prompt: "A street in {{ flowContext.city }}"
flow:
  - step: FOR
    var: city
    items: [Lisbon, Porto, Faro]
    concurrency: 3
    collect: "{{ local.vars.prompt }}"
    collectKey: prompts
    do: [{step: SLEEP, delay: 0}]
"""
    result = flowdsl.run(text)
    assert result.context["prompts"] == ["A street in Lisbon", "A street in Porto", "A street in Faro"]
