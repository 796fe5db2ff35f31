"""Habits of other languages whose mend is more than a word: a step wrapped in another, a call written otherwise."""

from __future__ import annotations

import pytest

import flowdsl
from flowdsl.diagnostics import Fix, fixed
from flowdsl.source import Source

IMAGE = "  - step: OPENAI_IMAGE_GENERATION\n    model: gpt-image-2\n"
INPUTS = "inputs: {wanted: {type: boolean}}\nflow:\n"


def fixes_of(text: str, code: str) -> tuple[Source, tuple[Fix, ...]]:
    source = Source(text)
    return source, next(one.fixes for one in flowdsl.check(source) if one.code == code)


def mended(text: str, code: str) -> str:
    source, fixes = fixes_of(text, code)
    assert not fixes[0].safe
    return fixed(source, fixes[0])


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_step_with_a_condition_is_wrapped_with_its_comments(end: str) -> None:
    text = "    instruction: |\n      A paper\n       boat\n"
    condition = "'{{ inputs.wanted }}'  # the press asks\n"
    flow = f"{INPUTS}{IMAGE}    if: {condition}\n    # a boat\n{text}  - {{step: SET, a: 1}}\n"
    inner = f"{IMAGE}\n    # a boat\n{text}".replace("\n  ", "\n      ")
    expected = f"{INPUTS}  - step: IF\n    condition: {condition}    then:\n    {inner}  - {{step: SET, a: 1}}\n"
    assert mended(flow.replace("\n", end), "unknown-key") == expected.replace("\n", end)
    assert flowdsl.check(expected) == []


def test_a_step_with_a_loop_is_wrapped_in_one() -> None:
    text = mended(
        f"flow:\n{IMAGE}    instruction: 'A boat, {{{{ flowContext.item }}}}'\n    foreach: [red, blue]", "unknown-key"
    )
    assert text == (
        "flow:\n  - step: FOR\n    var: item\n    items: [red, blue]\n    do:\n"
        "      - step: OPENAI_IMAGE_GENERATION\n        model: gpt-image-2\n"
        "        instruction: 'A boat, {{ flowContext.item }}'"
    )
    assert [one.code for one in flowdsl.check(text)] == ["lost-images"]


@pytest.mark.parametrize(
    "flow",
    [
        "flow:\n  - if: '{{ true }}'\n    step: REST\n    url: http://a.example\n",
        "flow:\n  - {step: REST, if: '{{ true }}', url: 'http://a.example'}\n",
        "flow:\n  - step: REST\n    unless: '{{ true }}'\n    url: http://a.example\n",
        "flow:\n  - step: REST\n    if: success()\n    url: http://a.example\n",
        "flow:\n  - step: REST\n    if: >\n      {{ true }}\n    url: http://a.example\n",
        "flow:\n  - step: REST\n    retry: 3\n    url: http://a.example\n",
    ],
    ids=["first key", "in braces", "negated", "no template", "several lines", "another meaning"],
)
def test_a_step_is_not_wrapped_where_that_needs_more_than_its_lines(flow: str) -> None:
    assert fixes_of(flow, "unknown-key")[1] == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("flowContext.xs.append(flowContext.s)", "flowContext.xs.concat([flowContext.s])"),
        ("flowContext.xs.push(2)", "flowContext.xs.concat([2])"),
        ("flowContext.xs.extend([2])", "flowContext.xs.concat([2])"),
        ("flowContext.m.get('a')", "flowContext.m['a'] | default('')"),
        ("flowContext.s.title()", "flowContext.s | title"),
    ],
    ids=["append", "push", "extend", "get", "title"],
)
def test_a_method_of_another_language_is_written_as_here(written: str, meant: str) -> None:
    flow = '- {{step: SET, xs: [1], m: {{a: 1}}, s: a}}\n- {{step: SET, text: "{{{{ {} }}}}"}}\n'
    assert mended(flow.format(written), "wrong-type") == flow.format(meant)
    assert not [one for one in flowdsl.check(flow.format(meant)) if one.severity == "error"]


def test_a_call_that_more_follows_or_that_has_more_arguments_is_left() -> None:
    flow = '- {{step: SET, m: {{a: 1}}, s: a}}\n- {{step: SET, text: "{{{{ {} }}}}"}}\n'
    for written in ("flowContext.s.title().length", "flowContext.m.get('a', 'b')", "flowContext.m.get(('a'))"):
        assert fixes_of(flow.format(written), "wrong-type")[1] == (), written
