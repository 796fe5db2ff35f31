"""A run that fails in a loop says at which item, with what values, and in which iterations of the loops around it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flowdsl import Environment, Host, Limits
from flowdsl.errors import RunError
from flowdsl.events import Event, FlowFinished, StepStarted

LOOPS = """\
- step: FOR
  var: city
  items: [Lisbon, Porto]
  do:
    - step: WHILE
      condition: "{{ true }}"
      do:
        - step: FOR
          var: size
          items: [{w: 1}, {w: 2}, {w: 3}]
          concurrency: CONCURRENCY
          do:
            - step: IF
              condition: "{{ flowContext.city == 'Porto' and flowContext.size.w == 2 }}"
              then:
                - step: END_HERE
            - step: SET
              last: "{{ flowContext.size }}"
        - step: BREAK
"""


def failed(flow: str, **settings: Any) -> dict[str, Any]:
    events: list[Event] = []
    with pytest.raises(RunError) as raised:
        Environment(**settings).load(flow).run(on_event=events.append)
    found = raised.value.result.failed
    end = events[-1]
    assert isinstance(end, FlowFinished)
    assert end.failed == found == end.to_dict()["failed"]
    with pytest.raises(RunError) as raised:  # nobody listens: the same
        Environment(**settings).load(flow).run()
    assert raised.value.result.failed == found
    return dict(found)


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize(
    "end",
    ["RAISE\n                  message: no", "REST\n                  url: 'http://127.0.0.1:1/'"],
    ids=["raised", "refused"],
)
def test_every_loop_around_what_failed_is_named_with_its_item(concurrency: int, end: str) -> None:
    found = failed(LOOPS.replace("CONCURRENCY", str(concurrency)).replace("END_HERE", end))
    assert (found["step"], found["iteration"], found["values"]) == (end.split()[0], 1, {"size": {"w": 2}})
    assert found["loop"] == {"step": "FOR", "path": "flow[0].do[0].do[0]"}
    assert found["around"] == [
        {"step": "WHILE", "path": "flow[0].do[0]", "iteration": 0, "values": {}},
        {"step": "FOR", "path": "flow[0]", "iteration": 1, "values": {"city": "Porto"}},
    ]


def test_what_fails_outside_of_loops_has_no_iteration() -> None:
    found = failed("- step: FOR\n  var: n\n  start: 1\n  end: 2\n- step: RAISE\n  message: no\n")
    assert found == {"step": "RAISE", "path": "flow[1]", "iteration": None, "values": {}, "around": []}


def test_a_limit_between_two_steps_names_the_item_too() -> None:
    flow = "- step: FOR\n  var: n\n  start: 1\n  end: 9\n  do:\n    - step: SET\n      a: 1\n"
    found = failed(flow, limits=Limits(steps=4))
    assert (found["iteration"], found["values"]) == (4, {"n": 5})


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_deadline_names_the_item_that_it_interrupted(concurrency: int) -> None:
    flow = (
        "- step: FOR\n  var: city\n  items: [Lisbon]\n  do:\n"
        f"    - step: FOR\n      var: n\n      start: 7\n      end: 9\n      concurrency: {concurrency}\n"
        "      do:\n        - step: SLEEP\n          delay: 9000\n"
    )
    found = failed(flow, limits=Limits(timeout_s=0.3))  # long enough to come to SLEEP on a busy machine
    assert (found["step"], found["iteration"], found["values"]) == ("SLEEP", 0, {"n": 7})
    assert [loop["values"] for loop in found["around"]] == [{"city": "Lisbon"}]


def test_a_called_flow_and_a_try_do_not_hide_the_loop_around_them() -> None:
    flow = """\
blocks:
  flows:
    stop:
      - step: RAISE
        message: no
flow:
  - step: FOR
    var: n
    start: 1
    end: 3
    do:
      - step: TRY
        retry: {max: 0}
        try:
          - step: CALL_FLOW
            ref: local.flows.stop
        catch:
          - step: RAISE
            message: worse
"""
    found = failed(flow)
    assert (found["iteration"], found["values"], found["around"]) == (0, {"n": 1}, [])


def test_values_are_cut_and_hold_no_secret() -> None:
    flow = """\
- step: FOR
  var: item
  items: ["{{ secret('KEY') }} and more", "KEYED"]
  do:
    - step: RAISE
      message: no
"""
    key = "sk-topsecret-1"
    host = Host(secrets={"KEY": key}.get)
    assert failed(flow, host=host)["values"] == {"item": "***"}
    found = failed(flow.replace("{{ secret('KEY') }} and more", "x" * 500), host=host)["values"]["item"]
    assert found == "x" * 99 + "…"


def test_a_cancelled_run_says_where_it_was() -> None:
    flow = "- step: FOR\n  var: n\n  start: 1\n  end: 3\n  do:\n    - step: SLEEP\n      delay: 9000\n"
    events: list[Event] = []

    async def cancelled() -> None:
        is_asleep = asyncio.Event()

        def hear(event: Event) -> None:
            events.append(event)
            if isinstance(event, StepStarted) and event.step == "SLEEP":
                is_asleep.set()

        running = asyncio.create_task(Environment().load(flow).arun(on_event=hear))
        await is_asleep.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    end = events[-1]
    assert isinstance(end, FlowFinished)
    assert end.failed is not None
    assert end.failed["values"] == {"n": 1}
