"""Deadlines and counts hold inside every kind of loop, and nothing catches them."""

from __future__ import annotations

import pytest

import flowdsl

DEADLINE = flowdsl.Limits(timeout_s=0.03)
LOOPS = {
    "a for of quick steps": "{step: FOR, var: i, start: 1, end: 1000000000, do: [{step: SET, x: 1}]}",
    "a for of nothing": "{step: FOR, var: i, start: 1, end: 1000000000000}",
    "a while of nothing": "{step: WHILE, condition: true, max: 1000000000000, do: []}",
    "a while of sleeps": "{step: WHILE, condition: true, do: [{step: SLEEP, delay: 1}]}",
    "a concurrent for": "{step: FOR, var: i, start: 1, end: 1000000, concurrency: 8, do: [{step: SLEEP, delay: 1}]}",
    "a sleep in parallel": "{step: PARALLEL, steps: [[{step: SLEEP, delay: 9000}], [{step: SLEEP, delay: 9000}]]}",
    "a repetition": "{step: WHILE, condition: true, do: [{step: TRY, try: [{step: RAISE, message: x}]}]}",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_the_deadline_holds_inside(loop: str) -> None:
    emitted: list[str] = []
    environment = flowdsl.Environment(limits=DEADLINE, host=flowdsl.Host(sink=lambda name, _: emitted.append(name)))
    text = f"""
onError: [{{step: EMIT_EVENT, name: on-error}}]
flow:
  - step: TRY
    try: [{loop}]
    catch: [{{step: EMIT_EVENT, name: caught}}]
"""
    with pytest.raises(flowdsl.LimitExceeded, match=r"^the run took longer than 0\.03 s$") as caught:
        environment.run(text)
    assert caught.value.code == "deadline"
    assert emitted == []


def test_nothing_runs_after_the_deadline_not_even_finally() -> None:
    emitted: list[str] = []
    environment = flowdsl.Environment(limits=DEADLINE, host=flowdsl.Host(sink=lambda name, _: emitted.append(name)))
    text = """
- step: TRY
  try: [{step: SLEEP, delay: 9000}]
  finally: [{step: EMIT_EVENT, name: late}]
"""
    with pytest.raises(flowdsl.LimitExceeded, match=r"^the run took longer than"):
        environment.run(text)
    assert emitted == []


def test_the_count_of_steps_holds_across_branches() -> None:
    environment = flowdsl.Environment(limits=flowdsl.Limits(steps=50))
    text = "- {step: FOR, var: i, start: 1, end: 999, concurrency: 8, do: [{step: SLEEP, delay: 0}]}\n"
    with pytest.raises(flowdsl.LimitExceeded, match=r"^the run has more than 50 steps$") as caught:
        environment.run(text)
    assert caught.value.code == "too-many-steps"


def test_exactly_as_many_steps_as_allowed_may_run() -> None:
    environment = flowdsl.Environment(limits=flowdsl.Limits(steps=3))
    text = "- {step: SET, a: 1}\n- {step: SET, b: 1}\n- {step: SET, c: 1}\n"
    assert environment.run(text).context == {"a": 1, "b": 1, "c": 1}
    with pytest.raises(flowdsl.LimitExceeded, match=r"^the run has more than 3 steps$") as caught:
        environment.run(text + "- {step: SET, d: 1}\n")
    assert caught.value.path == "flow[3]"


def test_calls_may_stand_64_deep_with_every_kind_of_block_around_them() -> None:
    text = """
blocks:
  flows:
    again:
      - step: SET
        depth: "{{ (flowContext.depth | default(0)) + 1 }}"
      - step: IF
        condition: "{{ flowContext.depth < 64 }}"
        then:
          - step: TRY
            try:
              - step: FOR
                var: i
                items: [1]
                do:
                  - step: SWITCH
                    condition: 1
                    cases:
                      1:
                        - step: WHILE
                          condition: "{{ flowContext.depth < 64 }}"
                          do:
                            - step: TRY
                              try:
                                - step: FOR
                                  var: j
                                  items: [1]
                                  do: [{step: CALL_FLOW, ref: local.flows.again}]
flow:
  - {step: CALL_FLOW, ref: local.flows.again}
"""
    context = flowdsl.run(text).context
    assert context["depth"] == 64
    assert "error" not in context
