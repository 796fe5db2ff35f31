"""A member that a value of the run lacks: the error names the nearest one, and those that there are."""

from __future__ import annotations

from typing import Any

import pytest

import flowdsl
from flowdsl import RunError

FLOW = """\
inputs: {items: {type: array, items: {type: object}}, one: {type: object}}
flow:
  - step: FOR
    var: item
    items: "{{ inputs.items }}"
    do:
      - step: SET
        text: "a %s"
        %s
outputs: {text: "{{ flowContext.text }}"}
"""
ITEM = {"name": "cup", "colour": "red", "unit price": 3, "maker": {"town": "Delft"}}
HAS = "`flowContext.item` has name, colour, unit price, maker"


def hint(read: str, item: Any, more: str = "") -> str | None:
    text = FLOW % (f"{{{{ {read} }}}}" if read else "cup", more)
    with pytest.raises(RunError) as failed:
        flowdsl.run(text, {"items": [item], "one": item})
    assert failed.value.code == "undefined-variable"
    return failed.value.hint


@pytest.mark.parametrize(
    "read, expected",
    [
        ("flowContext.item.nmae", f"did you mean `flowContext.item.name`? {HAS}"),
        ("flowContext.item['nmae']", f"did you mean `flowContext.item.name`? {HAS}"),
        ("flowContext.item.unit_price", f"did you mean `flowContext.item['unit price']`? {HAS}"),
        (
            "flowContext.item.maker.twon",
            "did you mean `flowContext.item.maker.town`? `flowContext.item.maker` has town",
        ),
        ("inputs.one.nmae", "did you mean `inputs.one.name`? `inputs.one` has name, colour, unit price, maker"),
        (
            "inputs.items[0].nmae",
            "did you mean `inputs.items[0].name`? `inputs.items[0]` has name, colour, unit price, maker",
        ),
        ("flowContext.item.nmae | upper", f"did you mean `flowContext.item.name`? {HAS}"),
        ("flowContext.item.zzz", f"{HAS}; where it may lack it, write `flowContext.item.zzz | default('')`"),
    ],
)
def test_a_member_that_is_misspelt_is_named_with_the_nearest(read: str, expected: str) -> None:
    assert hint(read, ITEM) == expected


def test_an_option_of_any_step_says_the_same() -> None:
    found = hint("", ITEM, "deep: [{x: '{{ flowContext.item.color }}'}]")
    assert found == f"did you mean `flowContext.item.colour`? {HAS}"


def test_many_names_are_cut() -> None:
    found = hint("flowContext.item.key", {f"a{number}": 1 for number in range(20)})
    assert found is not None
    assert found.startswith("`flowContext.item` has a0, a1, a2, a3, a4, a5, a6, a7 and 12 more; ")


def test_a_secret_among_the_names_is_hidden() -> None:
    from flowdsl import Environment, Host

    flow = """\
flow:
  - {step: SET, key: "{{ secret('KEY') }}"}
  - {step: PARSE_JSON, in: '{"tea-{{ flowContext.key }}": 1}', outputs: [{type: object, name: found}]}
  - {step: SET, text: "{{ flowContext.found.cup }}"}
"""
    with pytest.raises(RunError) as failed:
        Environment(host=Host(secrets={"KEY": "pssst-1234567890"}.get)).run(flow)
    assert "pssst" not in f"{failed.value.hint}{failed.value}"
