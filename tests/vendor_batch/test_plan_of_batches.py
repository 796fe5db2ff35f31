"""What a plan says of the price through the vendor's batch."""

from __future__ import annotations

from typing import Any

import pytest

from flowdsl import Environment
from flowdsl.plan import Plan, shown

CARD = """\
  - step: OPENAI_IMAGE_GENERATION
    model: {model}
    instruction: "A card"
    size: 1024x1024
    quality: low
"""


def plan_of(text: str, inputs: dict[str, Any] | None = None) -> Plan:
    return Environment(settings=None, environ={}).load(text).plan(inputs or {})


def line_of(plan: Plan) -> str:
    lines = [line for line in shown.text(plan, "a.flow.yaml").splitlines() if line.startswith("through")]
    return "\n".join(lines)


def test_a_plan_shows_both_prices() -> None:
    plan = plan_of("flow:\n" + CARD.format(model="gpt-image-2"))
    assert "1 paid request, $0.0059" in shown.text(plan, "a.flow.yaml").splitlines()[0]
    assert line_of(plan) == "through the vendor's batch: $0.0029 to $0.0030, within 24 hours"
    found = shown.to_json(plan, "a.flow.yaml")
    assert found["batch_usd"]["most"] == pytest.approx(found["usd"]["most"] / 2)
    assert "Through the vendor's batch: $0.0029 to $0.0030, within 24 hours." in shown.markdown(
        [("a.flow.yaml", plan, None)], None
    )


def test_what_has_no_discount_counts_at_its_full_price() -> None:
    both = CARD.format(model="gpt-image-2") + CARD.format(model="gpt-image-2.5-flare")
    assert line_of(plan_of("flow:\n" + both)) == "through the vendor's batch: $0.0088 to $0.0091, within 24 hours"
    assert line_of(plan_of("flow:\n" + CARD.format(model="gpt-image-2.5-flare"))) == ""
    assert line_of(plan_of("flow:\n  - {step: SET, a: 1}\n")) == ""


def test_branches_and_loops_count_as_they_do_for_the_full_price() -> None:
    card = CARD.format(model="gpt-image-2")
    inner = "".join(f"      {line}\n" for line in card.splitlines())
    loop = 'inputs: {names: {type: array}}\nflow:\n  - step: FOR\n    var: name\n    items: "{{ inputs.names }}"\n'
    collected = '    collect: "{{ flowContext.imageList }}"\n    collectKey: all\n    do:\n'
    assert line_of(plan_of(loop + collected + inner)).startswith("through the vendor's batch: len(names) × $0.0029")
    branch = 'inputs: {yes: {type: boolean}}\nflow:\n  - step: IF\n    condition: "{{ inputs.yes }}"\n    then:\n'
    assert line_of(plan_of(branch + inner)) == "through the vendor's batch: up to $0.0030, within 24 hours"
