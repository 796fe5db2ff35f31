"""Steps and a dialect of somebody else are planned by what they say of themselves."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, Limits, RequestStarted, Source, Step, Storage
from flowdsl.environment.flow import Flow
from flowdsl.plan.shown import headline
from flowdsl.step.registry import installed
from flowdsl_steps.image.simulator import Simulator

PACKAGES = Path(__file__).parents[1] / "packages"
PICTURE = "{step: OPENAI_IMAGE_GENERATION, model: dall-e-3, size: 1024x1024, quality: standard, instruction: p}"
ONE, TWO = "1 paid request, $0.0400", "2 paid requests, $0.0800"
FEW = "1 to 3 paid requests, $0.0400 to $0.1200"
LOT = "{{ [1, 2] | random > 1 }}"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[type[Step]]]:
    """The steps of the test package, one for each shape."""
    installed()  # what is there without the package, whichever test is the first
    monkeypatch.syspath_prepend(str(PACKAGES / "plugin_steps"))
    found = vars(importlib.import_module("plugin_steps.control")).values()
    yield [each for each in found if isinstance(each, type) and issubclass(each, Step) and each.declared]
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugin_steps"]:
        del sys.modules[name]


def spent(environment: Environment, text: str, name: str = "x.flow.yaml") -> str:
    """The first line of the plan of a text; what is said of a model's life does not count."""
    found = environment.examined(Source(f"{text}\n", name))
    assert found.file is not None
    wrong = [each for each in found.diagnostics if each.severity == "error" and each.code != "retired-model"]
    assert wrong == []
    return headline(Flow(environment, found.file.documents[0], [], found.settings, False).plan().bounds)


CASES = {
    "EACH": ("- {step: EACH, values: [a, b], as: v, body: [PICTURE]}", TWO),
    "STOP": ("- PICTURE\n- {step: STOP}\n- PICTURE", ONE),
    "STOP in EACH": ("- {step: EACH, values: [a, b], as: v, body: [PICTURE, {step: STOP}]}", ONE),
    "LEAVE": ("- {step: EACH, values: [a, b], as: v, body: [PICTURE, {step: LEAVE}]}", ONE),
    "UNTIL": (
        "- {step: UNTIL, again: [PICTURE], enough: true}",
        "1 to 1 + iterations(line 1) paid requests, $0.0400 to $0.0400 + iterations(line 1) × $0.0400",
    ),
    "SPREAD": ("- {step: SPREAD, over: [a, b, c], task: [PICTURE]}", "3 paid requests, $0.1200"),
    "GUARD": (
        "- {step: GUARD, risky: [PICTURE], rescue: [PICTURE]}",
        "1 to 2 paid requests, $0.0400 to $0.0800",
    ),
    "BOTH": ("- {step: BOTH, left: [PICTURE], right: [PICTURE]}", TWO),
    "COIN": (f'- {{step: COIN, shows: "{LOT}", heads: [PICTURE, PICTURE, PICTURE], tails: [PICTURE]}}', FEW),
    "PICK": (f'- {{step: PICK, by: "{LOT}", of: {{a: [PICTURE], rest: [PICTURE, PICTURE, PICTURE]}}}}', FEW),
    "FIRST_THEN": ("- {step: FIRST_THEN, first: [PICTURE], second: [PICTURE]}", TWO),
    "LET": ("- {step: LET, the: a, from: [PICTURE, {step: SET, found: 1}]}", ONE),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_a_control_step_of_a_plugin_counts_by_its_shape(case: str, steps: list[type[Step]]) -> None:
    flow, said = CASES[case]
    environment = Environment(steps=steps, settings=None, environ={})
    assert spent(environment, flow.replace("PICTURE", PICTURE)) == said


def test_a_document_of_a_made_up_dialect_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGES / "prompt_list"))
    prompts = '["a bicycle", {"prompt": "a kite", "n": 2, "size": "1024x1024"}]'
    assert spent(Environment(settings=None, environ={}), prompts, "p.json").startswith("2 paid requests, ")


HUB = """\
services:
  HUB:
    endpoint: URL
    apiKey: k
    target: images
PRICES
inputs: {who: {type: string}, which: {type: string}}
flow:
"""
PAID = "    instruction: a paper boat\n    size: 1024x1024\n    quality: low\n"
ASKED = {
    "a model that is known": (f"  - step: HUB_IMAGE_GENERATION\n    model: gpt-image-2\n    n: 2\n{PAID}", ""),
    "a target that only the run knows": (
        f'  - step: HUB_IMAGE_GENERATION\n    model: gpt-image-2\n    target: "{{{{ inputs.who }}}}"\n{PAID}',
        "",
    ),
    "a price of the entry": (
        f"  - step: HUB_IMAGE_GENERATION\n    model: gpt-image-2\n    n: 3\n{PAID}",
        "    prices: 0.25",
    ),
    "a fallback from one target to another": (
        "  - step: TRY\n    try:\n      - {step: HUB_IMAGE_GENERATION, model: no-such-model, instruction: a boat}\n"
        "    catch:\n      - {step: HUB_IMAGE_GENERATION, model: gpt-image-2, target: b, instruction: a boat}\n",
        "    prices: 0.25",
    ),
    "a model that only the run knows": (
        f'  - step: HUB_IMAGE_GENERATION\n    model: "{{{{ inputs.which }}}}"\n{PAID}',
        "",
    ),
}


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.replace(" ", "-"))
def test_a_gateway_is_paid_as_the_plan_says(case: str, tmp_path: Path) -> None:
    steps, prices = ASKED[case]
    with Simulator() as gateway:
        text = HUB.replace("URL", f"{gateway.url}/v1").replace("apiKey: k", f"apiKey: {gateway.key}")
        storage = Storage(images=tmp_path)
        environment = Environment(settings=None, environ={}, storage=storage, limits=Limits(private_addresses=True))
        flow = environment.load(text.replace("PRICES", prices) + steps)
        plan = flow.plan()
        events: list[Any] = []
        result = flow.run({"who": "a", "which": "gpt-image-2"}, on_event=events.append)
    sent = sum(isinstance(each, RequestStarted) for each in events)
    assert {row.vendor for row in plan.rows} == {"hub"}
    assert all(row.host.startswith("127.0.0.1") for row in plan.rows)
    assert plan.bounds.least.number <= sent <= (plan.most_requests or 0)
    assert result.cost_usd is not None and plan.bounds.least_usd.number <= result.cost_usd + 1e-9
    if "only the run knows" in case and "model" in case:
        assert plan.most_usd is None and "the model is not known" in " ".join(plan.reasons)
    else:
        assert plan.most_usd is not None and result.cost_usd <= plan.most_usd + 1e-9
