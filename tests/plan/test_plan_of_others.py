"""Steps and a dialect of somebody else are planned by what they say of themselves."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowdsl import Environment, Source, Step
from flowdsl.environment.flow import Flow
from flowdsl.plan.shown import headline

PACKAGES = Path(__file__).parents[1] / "packages"
PICTURE = "{step: OPENAI_IMAGE_GENERATION, model: dall-e-3, size: 1024x1024, quality: standard, instruction: p}"
ONE, TWO = "1 paid request, $0.0400", "2 paid requests, $0.0800"
FEW = "1 to 3 paid requests, $0.0400 to $0.1200"
LOT = "{{ [1, 2] | random > 1 }}"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[type[Step]]]:
    """The steps of the test package, one for each shape."""
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
