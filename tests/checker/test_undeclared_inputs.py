"""An input that is not declared is to be declared with the type that its use needs; so declared, the flow is clean."""

from __future__ import annotations

import pytest

from flowdsl.diagnostics import fixed
from flowdsl.source import Source
from tests.checker.test_advice import ENVIRONMENT

STEPS = {
    "array": [
        'FOR\n  items: "{{ inputs.x }}"\n  var: a\n  do:\n    - {step: SET, t: "{{ flowContext.a }}"}',
        'SET\n  t: "{% for a in inputs.x %}{{ a }}{% endfor %}"',
        'SET\n  t: "{%- for a in inputs.x | sort %}{{ a }}{% endfor %}"',
        "SET\n  t: \"{{ inputs.x | join(', ') }}\"",
        'SET\n  t: "{{ inputs.x[0] }}"',
        "SET\n  t: \"{{ 'a' in inputs.x }}\"",
    ],
    "number": [
        'SET\n  t: "{{ inputs.x * 2 }}"',
        'SET\n  t: "{{ 2 * inputs.x }}"',
        'SET\n  t: "{{ 1 + inputs.x }}"',
        'SET\n  t: "{{ inputs.x - 1 }}"',
        'SET\n  t: "{% if inputs.x > 3 %}a{% endif %}"',
        'SET\n  t: "{% if 3 < inputs.x %}a{% endif %}"',
        'SET\n  t: "{% if inputs.x == 3 %}a{% endif %}"',
        'SET\n  t: "{{ inputs.x | round }}"',
        'FOR\n  start: 1\n  end: "{{ inputs.x }}"\n  var: a\n  do:\n    - {step: SET, t: "{{ flowContext.a }}"}',
    ],
    "boolean": [
        'IF\n  condition: "{{ inputs.x }}"\n  then:\n    - {step: SET, t: a}',
        "IF\n  test: inputs.x\n  then:\n    - {step: SET, t: a}",
        'SET\n  t: "{% if inputs.x %}a{% endif %}"',
        'SET\n  t: "{% if true and inputs.x %}a{% endif %}"',
        "SET\n  t: \"{{ 'a' if inputs.x else 'b' }}\"",
        'SET\n  t: "{{ not inputs.x }}"',
    ],
    "string": [
        'SET\n  t: "A {{ inputs.x }}"',
        'SET\n  t: "{{- inputs.x -}}"',
        "SET\n  t: \"{% if inputs.x == 'a' %}b{% endif %}\"",
        'SET\n  t: "{{ inputs.x | upper }}"',
        "SET\n  t: \"{{ inputs.x + ' b' }}\"",
        'SWITCH\n  condition: "{{ inputs.x }}"\n  cases:\n    a:\n      - {step: SET, t: a}',
        'OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: "{{ inputs.x }}"',
    ],
    "object": [
        'SET\n  t: "{{ inputs.x.name }}"',
        "SET\n  t: \"{{ inputs.x['name'] }}\"",
        'SET\n  t: "{{ inputs.x | keys }}"',
        'REST\n  url: https://example.com/\n  headers: "{{ inputs.x }}"',
    ],
    "integer": [
        'OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: a\n  n: "{{ inputs.x }}"',
        'SET\n  t: "{% for a in range(inputs.x) %}{{ a }}{% endfor %}"',
        'SET\n  t: "{{ [1, 2][inputs.x] }}"',
    ],
}


@pytest.mark.parametrize("kind", STEPS)
def test_an_undeclared_input_is_to_be_declared_as_it_is_used(kind: str) -> None:
    for step in STEPS[kind]:
        source = Source(f"inputs:\n  other: {{}}\nflow:\n- step: {step}\n")
        found = [each for each in ENVIRONMENT.check(source) if each.severity != "note"]
        assert [each.code for each in found] == ["undefined-input"], step
        assert f"`x: {{type: {kind}}}`" in (found[0].hint or ""), step
        declared = ENVIRONMENT.check(Source(fixed(source, found[0].fixes[0])))
        assert [each.message for each in declared if each.severity != "note"] == [], step


def test_a_misspelt_input_is_mended_in_front_of_its_members() -> None:
    text = 'inputs:\n  city: {type: object}\nflow:\n- step: SET\n  t: "{{ inputs.citi.name }}"\n'
    source = Source(text)
    (found,) = (each for each in ENVIRONMENT.check(source) if each.severity != "note")
    assert fixed(source, found.fixes[0]) == text.replace("citi", "city")
