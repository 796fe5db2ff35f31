"""What is known of the FlowContext along the paths of a flow."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import flowdsl

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks stand beside the package, and are not installed


def reported(flow: str, **settings: object) -> list[str]:
    """The findings of a flow, each as `line code message`."""
    diagnostics = flowdsl.Environment(**settings).check(flow)  # type: ignore[arg-type]  # keywords of Environment
    return [f"{found.span.first.line} {found.code}: {found.message}" for found in diagnostics]


SILENT = {
    "both branches set it": """
- step: IF
  condition: "{{ env.A == '1' }}"
  then: [{step: SET, a: 1}]
  else: [{step: SET, a: 2}]
- {step: SET, b: "{{ flowContext.a }}"}
""",
    "an END where it is unset": """
- step: IF
  condition: "{{ env.A == '1' }}"
  then: [{step: SET, a: 1}]
- {step: END, condition: "{{ flowContext.a is undefined }}"}
- {step: SET, b: "{{ flowContext.a + 1 }}"}
""",
    "a condition that looks first": """
- step: IF
  condition: "{{ env.A == '1' }}"
  then: [{step: SET, a: {b: x}}]
- step: IF
  condition: "{{ flowContext.a and flowContext.a.b == 'x' }}"
  then: [{step: SET, c: "{{ flowContext.a.b }}"}]
- step: SET
  d: "{% if flowContext.a %}{{ flowContext.a.b }}{% endif %}"
  e: "{{ flowContext.a.b if flowContext.a else '-' }}"
""",
    "a loop that runs at least one iteration": """
- step: FOR
  var: n
  start: 1
  end: 3
  do: [{step: SET, last: "{{ flowContext.n }}"}]
- {step: SET, b: "{{ flowContext.last + flowContext.n + flowContext.n_index }}"}
""",
    "a loop that carries a value": """
- {step: SET, count: 0}
- step: WHILE
  condition: "{{ flowContext.count < 3 }}"
  do: [{step: SET, count: "{{ flowContext.count + 1 }}"}]
- {step: SET, b: "{{ flowContext.count * 2 }}"}
""",
    "a first iteration that sets what later ones read": """
- step: FOR
  var: name
  items: [Ada, Grace, Hedy]
  do:
    - step: IF
      condition: "{{ flowContext.name_index == 0 }}"
      then: [{step: SET, all: ["{{ flowContext.name }}"]}]
      else: [{step: SET, all: "{{ flowContext.all.concat([flowContext.name]) }}"}]
- {step: SET, line: "{{ flowContext.all | join(', ') }}"}
""",
    "an endless loop that BREAK leaves": """
- step: WHILE
  condition: true
  do:
    - {step: SET, a: x}
    - {step: BREAK, condition: "{{ env.A == '1' }}"}
- {step: SET, b: "{{ flowContext.a }}"}
""",
    "a catch that sets what try sets": """
- step: TRY
  try: [{step: PARSE_JSON, in: "{}"}, {step: SET, a: "{{ flowContext.object.anything.below }}"}]
  catch: [{step: SET, a: "{{ flowContext.error.message }}: {{ flowContext.error.code }}"}]
  finally: [{step: SET, c: 1}]
- {step: SET, b: "{{ flowContext.a }} {{ flowContext.c }}"}
""",
    "every branch of PARALLEL runs": """
- step: PARALLEL
  steps: [[{step: SET, a: 1}], [{step: SET, b: 2}]]
- {step: SET, c: "{{ flowContext.a + flowContext.b }}"}
""",
    "a called flow sets it": """
blocks: {flows: {inner: [{step: SET, a: "{{ flowContext.x }}"}]}}
flow:
  - {step: SET, x: 1}
  - {step: CALL_FLOW, ref: local.flows.inner}
  - {step: SET, b: "{{ flowContext.a + 1 }}"}
""",
    "a flow that calls itself": """
blocks:
  flows:
    inner:
      - {step: END_IF, condition: "{{ flowContext.n > 3 }}"}
      - {step: SET, n: "{{ flowContext.n + 1 }}"}
      - {step: CALL_FLOW, ref: local.flows.inner}
flow:
  - {step: SET, n: 1}
  - {step: CALL_FLOW, ref: local.flows.inner}
  - {step: SET, b: "{{ flowContext.n }}"}
""",
    "a flow that a template names": """
blocks: {flows: {one: [{step: SET, a: 1}], two: [{step: SET, b: 1}]}}
flow:
  - {step: CALL_FLOW, ref: "local.flows.{{ env.WHICH | default('one') }}"}
  - {step: SET, c: "{{ flowContext.a }}"}
""",
    "a host's object and a response can be anything": """
- {step: REST, url: "https://example.com", outputs: [{type: json, name: response}]}
- step: FOR
  var: item
  items: "{{ flowContext.response.items }}"
  do: [{step: SET, a: "{{ flowContext.item.name.first + client.id() * 2 }}"}]
""",
    "inputs as their schemas say": """
inputs:
  names: {type: array, items: {type: string}}
  place: {type: object, properties: {city: {type: string}}}
  size: {enum: [1, 2]}
flow:
  - step: FOR
    var: name
    items: "{{ inputs.names }}"
    do: [{step: SET, a: "{{ flowContext.name.toUpperCase() }} {{ inputs.place.city }} {{ inputs.size + 1 }}"}]
""",
    "names that a template sets itself": """
- {step: SET, a: "{% set x = 1 %}{% for y in [1, 2] %}{{ x + y + loop.index }}{% endfor %}"}
""",
    "a module that its caller prepares": """
blocks: {flows: {paint: [{step: SET, a: "{{ flowContext.anything }} {{ local.constants.b }} {{ inputs.c }}"}]}}
""",
}


@pytest.mark.parametrize("flow", SILENT.values(), ids=SILENT)
def test_a_right_flow_has_no_finding(flow: str) -> None:
    assert reported(flow, host=flowdsl.Host(objects={"client": object()}, env=["A", "WHICH"])) == []


REPORTED = {
    "a CONTINUE can come before it": (
        """
- step: FOR
  var: n
  start: 1
  end: 3
  do:
    - {step: CONTINUE, condition: "{{ flowContext.n == 2 }}"}
    - {step: SET, a: 1}
- {step: SET, b: "{{ flowContext.a }}"}
""",
        ["9 maybe-undefined: `flowContext.a` may be unset: the CONTINUE at 7 can come before it"],
    ),
    "an END can come before the outputs": (
        """
flow:
  - {step: END, condition: "{{ env.A == '1' }}"}
  - {step: SET, a: 1}
outputs: {a: "{{ flowContext.a }}"}
""",
        ["5 maybe-undefined: `flowContext.a` may be unset: the END at 3 can come before it"],
    ),
    "finally follows whatever happened": (
        """
- step: TRY
  try: [{step: PARSE_JSON, in: "{"}, {step: SET, a: 1}]
  finally: [{step: SET, b: "{{ flowContext.a }}"}]
""",
        ["4 maybe-undefined: `flowContext.a` may be unset: the TRY at 2 can fail before it sets it"],
    ),
    "onError follows whatever happened": (
        """
flow: [{step: PARSE_JSON, in: "{"}, {step: SET, a: 1}]
onError: [{step: SET, b: "{{ flowContext.a }} {{ flowContext.error.mesage }}"}]
""",
        [
            "3 maybe-undefined: `flowContext.a` may be unset: the flow can fail before it sets it",
            "3 unknown-member: `flowContext.error` is an error, and has no `mesage`",
        ],
    ),
    "the second iteration finds another type": (
        """
- {step: SET, a: [1]}
- step: FOR
  var: n
  start: 1
  end: 3
  do:
    - step: FOR
      var: m
      items: "{{ flowContext.a }}"
      do: [{step: SET, b: 1}]
    - {step: SET, a: "x"}
""",
        ["10 wrong-type: `items` takes a list, and `flowContext.a` may be a text or a list"],
    ),
    "a called flow reads what its caller leaves unset": (
        """
blocks: {flows: {inner: [{step: SET, a: "{{ flowContext.x }}"}]}}
flow:
  - {step: CALL_FLOW, ref: local.flows.inner}
  - {step: CALL_FLOW, ref: local.flows.inner}
""",
        [
            "2 undefined-variable: `flowContext.x` is undefined: no step before this one sets it, "
            "and no input declares it"
        ],
    ),
    "a var reads what is unset where it is read": (
        """
blocks: {vars: {title: "{{ flowContext.x | upper }}"}}
flow:
  - {step: SET, a: "{{ local.vars.title }}"}
""",
        [
            "2 undefined-variable: `flowContext.x` is undefined: no step before this one sets it, "
            "and no input declares it"
        ],
    ),
    "an image step without a prompt": (
        """
- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2}
""",
        ["2 missing-prompt: no prompt: the step has no `instruction`, and nothing before it sets `text`"],
    ),
    "an undefined member under lenient is a warning": (
        """
undefined: lenient
flow: [{step: SET, a: {b: 1}}, {step: SET, c: "{{ flowContext.a.x }}"}]
""",
        ["3 unknown-member: `flowContext.a` is a map, and has no `x`"],
    ),
}


@pytest.mark.parametrize(("flow", "expected"), REPORTED.values(), ids=REPORTED)
def test_a_wrong_flow_has_its_finding_once_and_in_place(flow: str, expected: list[str]) -> None:
    assert reported(flow, host=flowdsl.Host(env=["A"])) == expected


def test_the_json_of_a_finding_carries_the_branch_that_leaves_a_key_unset() -> None:
    flow = """\
- step: IF
  condition: "{{ env.A == '1' }}"
  then: [{step: SET, a: 1}]
  else:
    - {step: SET, b: 1}
- {step: SET, c: "{{ flowContext.a }}"}
"""
    (found,) = flowdsl.Environment().check(flow)
    assert found.to_dict() == {
        "path": "<text>",
        "line": 6,
        "col": 22,
        "end_line": 6,
        "end_col": 35,
        "severity": "warning",
        "code": "maybe-undefined",
        "message": "`flowContext.a` may be unset: the else branch at 4 does not set it",
        "hint": "set it on every path, or write `flowContext.a | default('')`",
        "related": [{"path": "<text>", "line": 4, "col": 3, "message": "this branch does not set it"}],
        "fixes": [
            {
                "title": "add `| default('')`",
                "safe": False,
                "edits": [
                    {"path": "<text>", "line": 6, "col": 34, "end_line": 6, "end_col": 35, "text": "a | default('')"}
                ],
            }
        ],
    }


def test_two_thousand_steps_with_nested_loops_check_in_less_than_a_second_of_cpu() -> None:
    from time import process_time

    from benchmarks.dataflow import flow_text

    text = flow_text(2_000, 0)
    assert text.count("step:") > 1_900
    began = process_time()
    assert flowdsl.check(text) == []
    assert process_time() - began < 1


def test_flows_that_call_each_other_twice_each_are_followed_once_for_each_state() -> None:
    from time import process_time

    flows = "".join(f"    f{n}:\n" + f"      - {{step: CALL_FLOW, ref: local.flows.f{n + 1}}}\n" * 2 for n in range(20))
    last = "    f20:\n      - {step: SET, a: 1}\n"
    text = f"blocks:\n  flows:\n{flows}{last}flow:\n  - {{step: CALL_FLOW, ref: local.flows.f0}}\n"
    began = process_time()
    assert flowdsl.check(text) == []
    assert process_time() - began < 1


def test_finally_inside_finally_is_followed_once() -> None:
    from time import process_time

    steps: object = [{"step": "SET", "last": 1}]
    for n in range(25):
        steps = [{"step": "TRY", "try": [{"step": "SET", f"a{n}": 1}], "finally": steps}]
    began = process_time()
    assert flowdsl.check(json.dumps(steps) + "\n") == []
    assert process_time() - began < 1


def test_a_thousand_ways_out_of_a_loop_check_in_less_than_a_second_of_cpu() -> None:
    from time import process_time

    body = "".join(
        f"    - {{step: SET, k{n}: '{{{{ flowContext.i }}}}'}}\n"
        f"    - {{step: BREAK, condition: '{{{{ flowContext.k{n} > 3 }}}}'}}\n"
        for n in range(1_000)
    )
    began = process_time()
    assert flowdsl.check(f"- step: FOR\n  var: i\n  start: 1\n  end: 5\n  do:\n{body}") == []
    assert process_time() - began < 1


def chain_of_loops(length: int) -> str:
    """A loop in which each of some loops runs only when the one behind it has run in the iteration before."""
    keys = "".join(f"  k{n}: null\n" for n in range(length + 1))
    loops = "".join(
        f"    - step: WHILE\n"
        f'      condition: "{{{{ flowContext.k{n - 1} }}}}"\n'
        f"      do:\n"
        f"        - {{step: SET, k{n}: abc, k{n - 1}: null}}\n"
        for n in range(length, 0, -1)
    )
    around = "- step: FOR\n  var: i\n  start: 1\n  end: 99\n  do:\n"
    body = '    - {step: SET, k0: abc, text: "{{ flowContext.nope }}"}\n'
    return f'- step: SET\n{keys}{around}{loops}{body}- {{step: SET, last: "{{{{ flowContext.k{length} | upper }}}}"}}\n'


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 300])
def test_loops_that_wake_each_other_in_ever_later_iterations_hide_no_finding(length: int) -> None:
    (found,) = reported(chain_of_loops(length))
    assert "undefined-variable: `flowContext.nope` is undefined" in found


def test_pictures_under_a_key_that_is_no_name_are_not_said_to_be_collected_by_it() -> None:
    picture = "{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: x, outputKey: '{{ flowContext.c }}'}"
    (found,) = reported(f"- step: FOR\n  var: c\n  items: [a, b]\n  do:\n    - {picture}\n")
    assert found.startswith("5 wrong-pattern")
