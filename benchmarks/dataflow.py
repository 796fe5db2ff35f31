"""What following the data costs: flows with nested loops, choices, TRY, PARALLEL and calls, of growing length."""

from __future__ import annotations

import gc
from itertools import count
from time import process_time

from benchmarks.table import Row, duration, show

SIZES = (500, 1_000, 2_000, 4_000)
REPEATS = 5
TARGET_S = 1.0
"""CPU time that 2,000 steps may take."""

_GROUP = """\
  - step: SET
    total_{n}: 0
    names_{n}: [Ada, Grace, "{{{{ flowContext.city }}}}"]
  - step: FOR
    var: name
    items: "{{{{ flowContext.names_{n} }}}}"
    do:
      - step: FOR
        var: round
        start: 1
        end: 3
        do:
          - step: WHILE
            condition: "{{{{ flowContext.total_{n} < flowContext.round * 10 }}}}"
            do:
              - step: SET
                total_{n}: "{{{{ flowContext.total_{n} + flowContext.name_index + 1 }}}}"
              - step: BREAK
                condition: "{{{{ flowContext.total_{n} > 100 }}}}"
              - step: FOR
                var: letter
                items: "{{{{ flowContext.name | split('') }}}}"
                do:
                  - step: SET
                    last_{n}: "{{{{ flowContext.letter | upper }}}} {{{{ flowContext.total_{n} }}}} no. {n}"
  - step: IF
    condition: "{{{{ flowContext.total_{n} > 5 }}}}"
    then:
      - step: SET
        mood_{n}: bright
    else:
      - step: SET
        mood_{n}: "{{{{ flowContext.last_{n} | default('quiet') }}}}"
  - step: TRY
    try:
      - step: SET
        line_{n}: "{{{{ flowContext.mood_{n} }}}} in {{{{ flowContext.city }}}}"
    catch:
      - step: SET
        line_{n}: "{{{{ flowContext.error.message }}}}"
  - step: PARALLEL
    steps:
      - - step: SET
          wide_{n}: "{{{{ flowContext.line_{n} }}}}, wide"
      - - step: SET
          tall_{n}: "{{{{ flowContext.line_{n} }}}}, tall"
  - step: CALL_FLOW
    ref: local.flows.sign
"""
STEPS_OF_GROUP = 18
_HEAD = """\
blocks:
  flows:
    sign:
      - step: SET
        signed: "{{ flowContext.city }}, {{ flowContext.city | length }} letters"
flow:
  - step: SET
    city: Lisbon
"""


def flow_text(steps: int, serial: int) -> str:
    """A flow of about so many steps; texts differ with `serial`, so that no cache has seen them."""
    return _HEAD + "".join(_GROUP.format(n=f"{serial}_{index}") for index in range(steps // STEPS_OF_GROUP))


def measure(serial: count[int]) -> dict[int, float]:
    """CPU seconds of a check by the number of steps, the least of several."""
    import flowdsl

    environment = flowdsl.Environment()

    def check(steps: int) -> float:
        text = flow_text(steps, next(serial))
        gc.collect()
        gc.disable()  # nodes live as long as their file: `flowdsl validate` hardly ever looks through them either
        began = process_time()
        found = environment.check(text)
        elapsed = process_time() - began
        gc.enable()
        assert not found, flowdsl.render(found[:3])
        return elapsed

    check(SIZES[0])
    return {steps: min(check(steps) for _ in range(REPEATS)) for steps in SIZES}


def main() -> None:
    """Measures and prints the table."""
    costs = measure(count())
    first = costs[SIZES[0]] / SIZES[0]
    rows = [
        Row(
            f"{steps:,} steps",
            (duration(cost), duration(cost / steps)),
            f"{cost / steps / first:.2f} a step",
            f"about 1, and under {TARGET_S:g} s of CPU" if steps == 2_000 else "about 1",
        )
        for steps, cost in costs.items()
    ]
    show("Checking flows with nested loops", ("file", "per step"), rows)


if __name__ == "__main__":
    main()
