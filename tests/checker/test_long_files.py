"""Files that are long in one way: a check ends, says what it says of short ones, and looks at each part a few times."""

from __future__ import annotations

import pytest

import flowdsl
from flowdsl import nearest
from flowdsl.checker.flow import unused


def test_a_chain_of_vars_longer_than_the_stack_is_deep_is_followed() -> None:
    count = 3000
    chain = "".join(f"    v{number}: '{{{{ local.vars.v{number + 1} }}}}'\n" for number in range(count))
    text = f"blocks:\n  vars:\n{chain}    v{count}: end\nflow:\n  - {{step: SET, a: '{{{{ local.vars.v0 }}}}'}}\n"
    assert flowdsl.check(text) == []


def test_a_circle_at_the_end_of_a_chain_of_vars_is_reported_once() -> None:
    text = (
        "blocks:\n  vars:\n    b: '{{ local.vars.a }}'\n    a: '{{ local.vars.a }}'\n    c: '{{ local.vars.d }}'\n"
        "    d: '{{ local.vars.c }}'\nflow:\n  - {step: SET, x: '{{ local.vars.b }}{{ local.vars.c }}'}\n"
    )
    found = [finding.message for finding in flowdsl.check(text) if finding.code == "vars-cycle"]
    assert found == [
        "Circular vars reference detected: a → a",
        "Circular vars reference detected: c → d → c",
    ]


def test_whether_a_flow_is_called_is_asked_once_for_all_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    before = unused._calls_out
    monkeypatch.setattr(unused, "_calls_out", lambda document: asked.append(1) or before(document))
    steps = "".join(f"  - {{step: SET, v{number}: 1}}\n" for number in range(20))
    found = flowdsl.check(f"flow:\n{steps}  - {{step: SET, x: 1}}\noutputs: {{x: '{{{{ flowContext.x }}}}'}}\n")
    assert [finding.code for finding in found] == ["unused-variable"] * 20
    assert asked == [1]


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("titel", ["title", "tile"], "title"),
        ("tilte", ["titles", "title"], "title"),
        ("ab", ["ba", "abc"], "ba"),
        ("colour", ["color", "colours"], "color"),
        ("a", ["b"], None),
        ("quality", ["qualities", "equality"], "equality"),
    ],
)
def test_a_name_is_compared_no_further_than_it_may_differ(name: str, names: list[str], found: str | None) -> None:
    assert nearest.nearest(name, names) == found
