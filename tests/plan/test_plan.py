"""What a run spends at least and at most, by the shapes of its steps and what they say they buy."""

from __future__ import annotations

from typing import Any

import pytest

from flowdsl import Environment, Expected, Purchase, Step, StepContext
from flowdsl.errors import ConfigError
from flowdsl.plan import Plan
from flowdsl.plan.shown import headline, markdown, text, to_json

PICTURE = "{step: OPENAI_IMAGE_GENERATION, model: dall-e-3, size: 1024x1024, quality: standard, instruction: p}"


class Stamp(Step, name="STAMP", service="STAMP", provider="openai"):
    """Buys from a vendor of its own."""

    copies: int = 1
    """How many."""

    @classmethod
    def buys(cls, expected: Expected) -> list[Purchase]:
        """A request for each copy, ten cents each."""
        copies = expected.options.value("copies")
        known = isinstance(copies, int)
        return [
            Purchase(
                service="STAMP",
                vendor="Stamps",
                host="stamps.example",
                least=copies if known else 1,
                most=copies if known else None,
                least_usd=0.1 * copies if known else 0.1,
                most_usd=0.1 * copies if known else None,
                unknown=() if known else ("how many copies is not known",),
            )
        ]

    def run(self, ctx: StepContext) -> None:
        """Is only planned here."""


def plan_of(flow: str, inputs: dict[str, Any] | None = None, **given: Any) -> Plan:
    from datetime import date

    environment = Environment(steps=[Stamp], settings=None, environ={}, as_of=date(2025, 1, 1), **given)
    return environment.load(f"{flow}\n", declare=inputs or ()).plan(inputs)


def bounds(flow: str, inputs: dict[str, Any] | None = None) -> str:
    """The first line of a plan."""
    return headline(plan_of(flow.replace("PICTURE", PICTURE), inputs).bounds)


ONE = "1 paid request, $0.0400"
CASES = {
    "a step": ("- PICTURE", ONE),
    "nothing that is paid": ("- {step: SET, a: 1}", "nothing is paid"),
    "a loop over numbers": ("- {step: FOR, var: i, start: 1, end: 3, do: [PICTURE]}", "3 paid requests, $0.1200"),
    "n that takes several requests": (
        "- {step: OPENAI_IMAGE_GENERATION, model: dall-e-3, size: 1024x1024, quality: standard, instruction: p, n: 3}",
        "3 paid requests, $0.1200",
    ),
    "a branch that nobody knows": (
        '- {step: IF, condition: "{{ [1, 2] | random > 1 }}", then: [PICTURE, PICTURE], else: [PICTURE]}',
        "1 to 2 paid requests, $0.0400 to $0.0800",
    ),
    "a branch that is known": (
        '- {step: IF, condition: "{{ 1 > 2 }}", then: [PICTURE, PICTURE], else: [PICTURE]}',
        ONE,
    ),
    "behind an end that nobody knows": (
        '- {step: END_IF, condition: "{{ [1, 2] | random > 1 }}"}\n- PICTURE',
        "up to 1 paid request, up to $0.0400",
    ),
    "behind an end": ("- PICTURE\n- {step: END}\n- PICTURE", ONE),
    "a fallback": (
        "- {step: TRY, try: [PICTURE, PICTURE], catch: [PICTURE]}",
        "1 to 3 paid requests, $0.0400 to $0.1200",
    ),
    "a repetition that buys again": (
        "- {step: TRY, try: [PICTURE], retry: {max: 3, paid: again}, catch: [PICTURE]}",
        "1 to 5 paid requests, $0.0400 to $0.2000",
    ),
    "a repetition that keeps what it paid for": (
        "- {step: TRY, try: [PICTURE], retry: {max: 3}, catch: [PICTURE]}",
        "1 to 5 paid requests, $0.0400 to $0.0800",
    ),
    "a repetition by default": (
        "- {step: TRY, try: [PICTURE], retry: {paid: again}, catch: [PICTURE]}",
        "1 to 4 paid requests, $0.0400 to $0.1600",
    ),
    "a condition that is counted": (
        '- {step: SET, c: 0}\n- {step: WHILE, condition: "{{ flowContext.c < 4 }}", '
        'do: [{step: SET, c: "{{ flowContext.c + 1 }}"}, PICTURE]}',
        "4 paid requests, $0.1600",
    ),
    "a condition that nobody knows": (
        '- {step: WHILE, condition: "{{ [1, 2] | random > 1 }}", do: [PICTURE]}',
        "any number of paid requests: nothing bounds them, cost not known",
    ),
    "a condition that nobody knows with a bound": (
        '- {step: WHILE, condition: "{{ [1, 2] | random > 1 }}", max: 5, do: [PICTURE]}',
        "up to 5 paid requests, up to $0.2000",
    ),
    "the case of a value that is known": (
        '- {step: SET, size: 2}\n- {step: SWITCH, condition: "{{ flowContext.size }} ", '
        'cases: {"1": [PICTURE, PICTURE], "2": [PICTURE], default: [PICTURE, PICTURE, PICTURE]}}',
        ONE,
    ),
    "the case for every other value": (
        "- {step: SWITCH, condition: much, cases: {few: [PICTURE, PICTURE], default: [PICTURE]}}",
        ONE,
    ),
    "no case for a value that is known": (
        "- {step: SWITCH, condition: much, cases: {few: [PICTURE]}}",
        "nothing is paid",
    ),
    "a case that nobody knows": (
        'inputs: {word: {type: string}}\nflow: [{step: SWITCH, condition: "{{ inputs.word }}", '
        "cases: {few: [PICTURE], much: [PICTURE, PICTURE], default: [PICTURE]}}]",
        "1 to 2 paid requests, $0.0400 to $0.0800",
    ),
    "side by side": ("- {step: PARALLEL, steps: [[PICTURE], [PICTURE, PICTURE]]}", "3 paid requests, $0.1200"),
    "iterations side by side of which the first ends the run": (
        "- {step: FOR, var: i, start: 1, end: 3, concurrency: 3, do: [PICTURE, {step: END}]}",
        "up to 3 paid requests, up to $0.1200",
    ),
    "a list that is not given": (
        'inputs: {names: {type: array}}\nflow: [{step: FOR, var: n, items: "{{ inputs.names }}", do: [PICTURE]}]',
        "len(names) paid requests, len(names) × $0.0400",
    ),
    "a flow that is called twice": (
        "blocks: {flows: {one: [PICTURE]}}\n"
        "flow: [{step: CALL_FLOW, ref: local.flows.one}, {step: CALL_FLOW, ref: local.flows.one}]",
        "2 paid requests, $0.0800",
    ),
    "a step of somebody else": ("- {step: STAMP, copies: 2}", "2 paid requests, $0.2000"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_the_first_line_says_what_a_run_spends(case: str) -> None:
    flow, said = CASES[case]
    assert bounds(flow) == said


def test_the_first_line_says_how_long_a_prompt_is_taken_to_be_that_only_the_run_knows() -> None:
    flow = """\
inputs: {text: {type: string}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: low, instruction: "{{ inputs.text }}"}
"""
    plan = plan_of(flow)
    said = "1 paid request, $0.0059 to $0.0160 for prompts of up to 2,000 bytes"
    assert text(plan, "x").splitlines()[0] == f"x: {said}"
    assert f": {said}" in markdown([("x", plan, None)], None).splitlines()[0]
    assert to_json(plan, "x")["assumed"] == ["prompts of up to 2,000 bytes"]
    known = plan_of(flow, {"text": "a kite"})
    assert known.assumed == () and "bytes" not in text(known, "x")


PROMPTS = {
    "a text of any length": ("{{ inputs.text }}", None),
    "a text that is cut": ("A {{ inputs.text | truncate(10) }}", 2 + 4 * 10 + 3),
    "a text that is cut at its end": ("{{ inputs.text | truncate(10, true, '') }}", 4 * 10),
    "a text that is cut by a number that nobody knows": ("{{ inputs.text | truncate(inputs.open.length) }}", None),
    "a text or another": ("{{ (inputs.text or 'kites') | truncate(2) }}", 4 * 2 + 3),
    "one of two texts": ("{{ inputs.short if inputs.open else 'a long text that is known' }}", 25),
    "a text with a length": ("{{ inputs.short }}, {{ inputs.kind }}{{ inputs.known }}", 4 * 3 + 2 + 6 + 5),
    "a block tag": ("{% if inputs.open %}{{ inputs.short }}{% endif %}", None),
    "a text in another": ("{{ inputs.text | truncate(2) | upper }}", None),
}


@pytest.mark.parametrize("case", PROMPTS, ids=lambda case: case.replace(" ", "-"))
def test_a_prompt_is_as_long_as_its_template_and_the_inputs_allow(case: str) -> None:
    prompt, size = PROMPTS[case]
    plan = plan_of(f"""\
inputs:
  text: {{type: string}}
  open: {{type: array}}
  short: {{type: string, maxLength: 3}}
  kind: {{enum: [kite, ballon]}}
  known: {{type: string, default: été}}
flow:
  - {{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: low, instruction: "{prompt}"}}
""")
    counted = 2000 if size is None else size
    said = "is not known, and counted as 2,000 bytes" if size is None else f"is not known, and has at most {size} bytes"
    assert said in text(plan, "x")
    assert plan.bounds.most_usd.number - plan.bounds.least_usd.number == pytest.approx((counted + 30) * 5e-6)
    assert bool(plan.assumed) is (size is None)


def test_a_list_that_is_given_is_counted() -> None:
    flow = 'inputs: {names: {type: array}}\nflow: [{step: FOR, var: n, items: "{{ inputs.names }}", do: [PICTURE]}]'
    assert bounds(flow, {"names": ["a", "b"]}) == "2 paid requests, $0.0800"


def test_each_request_may_be_billed_as_often_as_it_is_sent_again() -> None:
    entry = {"OPENAI_IMAGE_GENERATION": {"onUnknown": "resend", "maxRetries": 2}}
    plan = plan_of(f"- {PICTURE}", services=entry)
    assert headline(plan.bounds) == "1 to 3 paid requests, $0.0400 to $0.1200"
    assert "may be billed each time" in text(plan, "x")


def test_a_model_without_a_price_is_told_how_to_state_one() -> None:
    plan = plan_of("- {step: OPENAI_IMAGE_GENERATION, model: our-own, instruction: p}")
    assert headline(plan.bounds) == "1 paid request, cost not known"
    assert "[models]" in text(plan, "x")
    assert to_json(plan, "x")["usd"]["most"] is None


def test_an_open_bound_of_a_plugin_is_named_with_its_reason() -> None:
    plan = plan_of('- {step: STAMP, copies: "{{ [1, 2] | random }}"}')
    assert headline(plan.bounds) == "1 or more paid requests: nothing bounds them, $0.1000 or more"
    assert "how many copies is not known" in text(plan, "x")


@pytest.mark.parametrize(
    "again", ["ref: local.flows.two", "ref: 'local.flows.{{ inputs.next }}'", "ref: local.flows.three"]
)
def test_a_flow_that_calls_itself_and_buys_in_a_flow_that_it_calls_is_open(again: str) -> None:
    flow = f"""\
inputs: {{next: {{type: string}}}}
blocks:
  flows:
    one: [{PICTURE}]
    two: [{{step: CALL_FLOW, ref: local.flows.one}}, {{step: CALL_FLOW, {again}}}]
    three: [{{step: CALL_FLOW, ref: local.flows.two}}]
flow: [{{step: CALL_FLOW, ref: local.flows.two}}]
"""
    assert headline(plan_of(flow).bounds) == "1 or more paid requests: nothing bounds them, $0.0400 or more"


def test_a_flow_that_calls_itself_and_buys_nothing_is_bounded() -> None:
    flow = """\
blocks: {flows: {two: [{step: SET, a: 1}, {step: CALL_FLOW, ref: local.flows.two}]}}
flow: [PICTURE, {step: CALL_FLOW, ref: local.flows.two}]
"""
    assert bounds(flow) == ONE


def test_an_input_that_the_flow_does_not_declare_is_refused() -> None:
    with pytest.raises(ConfigError, match="declares no input `citty`"):
        plan_of("inputs: {city: {type: string, default: a}}\nflow: [{step: SET, a: 1}]", {"citty": "x"})


def test_prompts_are_resolved_as_far_as_they_are_known() -> None:
    flow = """\
inputs: {city: {type: string, default: Rome}, time: {type: string}}
flow:
  - {step: SET, where: "old {{ inputs.city }}"}
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: "{{ flowContext.where }}"}
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: "{{ flowContext.where }} at {{ inputs.time }}"}
"""
    found = [request.prompt for request in plan_of(flow).requests]
    assert found == ["old Rome", "old Rome at {{ inputs.time }}"]
