"""The image steps of the content platform whose documents this language reads: every row of their page has a test, the
page's own example runs, and what the page says of each key is what the steps declare."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Limits, Source, Storage
from flowdsl.step.key import IDENTIFIER
from flowdsl.step.registry import installed
from flowdsl.step.rules import Conflicts, Limit
from flowdsl.step.spec import StepSpec
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.stand_in import overrides

ROOT = Path(__file__).parents[2]
STEPS = ("OPENAI_IMAGE_GENERATION", "AZURE_OPENAI_IMAGE_GENERATION")
ROWS: dict[str, dict[str, Any]] = {
    "model": {"default": "dall-e-3"},
    "instruction": {"min_length": 1},
    "size": {},
    "quality": {},
    "n": {"default": 1, "minimum": 1},
    "style": {},
    "response_format": {},
    "output_format": {},
    "background": {},
    "seed": {},
    "user": {},
    "timeoutMs": {"default": 60_000, "minimum": 1000, "maximum": 900_000},
    "maxRetries": {"default": 2, "minimum": None, "maximum": 20},
    "outputKey": {"default": "imageList", "pattern": IDENTIFIER, "min_length": 1},
}
"""The page's table of options: each with its default and its constraints."""
CONFLICTS = {
    ("style", "output_format"),
    ("response_format", "output_format"),
    ("response_format", "background"),
    ("response_format", "seed"),
}
"""The page's conditional rules."""
EXAMPLE = """\
- step: SET
  text: "A futuristic skyline at sunset, cinematic lighting"
- step: STEP
  n: 2
  size: 1024x1024
"""


def spec_of(name: str) -> StepSpec:
    found = installed().spec(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", STEPS)
def test_every_option_of_the_page_is_a_key_with_its_default_and_its_constraints(name: str) -> None:
    keys = spec_of(name).keys
    for row, wanted in ROWS.items():
        assert {fact: getattr(keys[row], fact) for fact in wanted} == wanted, row
        assert not keys[row].required


@pytest.mark.parametrize("name", STEPS)
def test_what_conflicts_on_the_page_conflicts_here_and_n_goes_to_4(name: str) -> None:
    rules = spec_of(name).rules
    pairs = {(rule.keys[0], other) for rule in rules if isinstance(rule, Conflicts) for other in rule.keys[1:]}
    assert pairs == CONFLICTS
    assert [(rule.keys, rule.maximum) for rule in rules if isinstance(rule, Limit)] == [(("n",), 4)]


@pytest.mark.parametrize("name", STEPS)
def test_names_inputs_and_outputs_are_those_of_the_page(name: str) -> None:
    spec = spec_of(name)
    assert (spec.aliases, spec.service) == ((f"SERVICE_{name}",), name)
    assert [(port.type, port.optional) for port in spec.inputs] == [("text", True)]
    assert [(port.type, port.optional) for port in spec.outputs] == [("imageList", False), ("object", True)]
    assert [key.name for key in spec.keys.values() if key.prompt] == ["instruction"]


@pytest.mark.parametrize("name", [*STEPS, *(f"SERVICE_{name}" for name in STEPS)])
def test_the_example_of_the_page_makes_its_two_pictures(name: str, tmp_path: Path) -> None:
    """Its default model is shut down, so that it runs where a simulator stands in, as with `--simulate`."""
    with Simulator() as simulator:
        settings = overrides(simulator.url, simulator.key)
        settings["azure"]["deploymentId"] = "dall-e-3"
        environment = Environment(
            overrides=settings, storage=Storage(images=tmp_path), limits=Limits(private_addresses=True)
        )
        found = environment.run(Source(EXAMPLE.replace("STEP", name)))
        assert [(image.width, image.height) for image in found.images] == [(1024, 1024)] * 2
        assert simulator.request_count == 2  # dall-e-3 gives one picture for a request


def test_the_example_of_the_page_stops_before_it_is_sent_where_its_model_is_gone() -> None:
    found = flowdsl.check(Source(EXAMPLE.replace("STEP", STEPS[0])))
    assert [each.code for each in found if each.severity == "error"] == ["retired-model"]


def test_every_row_of_the_page_names_tests_that_there_are() -> None:
    page = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
    section = page.partition("\n## Image steps\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w]+)` \|.*\| (.+) \|$", section, re.MULTILINE)
    assert [name for name, _ in rows] == [*ROWS, "text", "imageList", "object"]
    tests = Path(__file__).read_text(encoding="utf-8")
    for name, shown in [*rows, *re.findall(r"^\| (\w[^|`]+) \|.*\| (.+) \|$", section, re.MULTILINE)]:
        links = re.findall(r"\]\(\.\./(tests/[\w./]+)\)", shown)
        own = re.findall(r"`(test_\w+)`", shown)
        assert links or own or name == "row", name
        assert [link for link in links if not (ROOT / link).is_file()] == []
        assert [test for test in own if f"def {test}(" not in tests] == []
