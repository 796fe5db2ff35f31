"""What control flow costs: blocks are compiled once, however often they run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import flowdsl
from flowdsl.engine.compile import Compiler


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of steps of each list that is compiled, as it happens."""
    counts: list[int] = []
    compile_steps = Compiler.steps

    def counted(self: Compiler, steps: Iterable[Any]) -> Any:
        made = compile_steps(self, steps)
        counts.append(len(made))
        return made

    monkeypatch.setattr(Compiler, "steps", counted)
    return counts


def test_nested_blocks_are_compiled_once_for_all_iterations_and_runs(compiled: list[int]) -> None:
    flow = flowdsl.load("""
- step: FOR
  var: i
  start: 1
  end: 50
  do:
    - step: IF
      condition: "{{ flowContext.i % 2 == 0 }}"
      then: [{step: SET, even: "{{ flowContext.i }}"}]
      else: [{step: SET, odd: "{{ flowContext.i }}"}, {step: SET, n: 1}]
    - step: PARALLEL
      steps: [[{step: SET, a: 1}], [{step: SET, b: 1}]]
""")
    assert flow.run().context["even"] == 50
    assert flow.run().context["odd"] == 49
    assert sorted(compiled) == [1, 1, 1, 1, 2, 2]


def test_a_called_flow_is_compiled_on_its_first_call_only(compiled: list[int]) -> None:
    flow = flowdsl.load("""
blocks:
  flows:
    add: [{step: SET, n: "{{ flowContext.n + 1 }}"}]
    unused: [{step: SET, a: 1}, {step: SET, b: 1}, {step: SET, c: 1}]
flow:
  - {step: SET, n: 0}
  - step: FOR
    var: i
    start: 1
    end: 20
    do: [{step: CALL_FLOW, ref: local.flows.add}]
""")
    assert flow.run().context["n"] == 20
    assert flow.run().context["n"] == 20
    assert sorted(compiled) == [1, 1, 2]


def test_a_flow_can_run_again_and_starts_anew() -> None:
    flow = flowdsl.load("""
- step: FOR
  var: i
  items: [1, 2, 3]
  collect: "{{ flowContext.i }}"
  collectKey: all
""")
    first, second = flow.run(), flow.run()
    assert first.context == second.context == {"i": 3, "i_index": 2, "all": [1, 2, 3]}
    assert first.context["all"] is not second.context["all"]


@pytest.mark.parametrize("concurrency", [1, 16])
def test_ten_thousand_iterations_give_ten_thousand_values(concurrency: int) -> None:
    result = flowdsl.run(f"""
- step: FOR
  var: i
  start: 1
  end: 10000
  concurrency: {concurrency}
  collect: "{{{{ flowContext.square }}}}"
  collectKey: squares
  do: [{{step: SET, square: "{{{{ flowContext.i * flowContext.i }}}}"}}]
""")
    assert result.context["squares"] == [i * i for i in range(1, 10001)]
    assert result.steps == 10_001


def test_ten_thousand_iterations_of_a_while_are_the_default_limit() -> None:
    text = """
- {step: SET, n: 0}
- step: WHILE
  condition: "{{ flowContext.n < 10000 }}"
  do: [{step: SET, n: "{{ flowContext.n + 1 }}"}]
"""
    assert flowdsl.run(text).context == {"n": 10000}
    with pytest.raises(flowdsl.LimitExceeded, match=r"^WHILE ran 10,000 times and its condition still holds$"):
        flowdsl.run(text.replace("< 10000", "< 10001"))
