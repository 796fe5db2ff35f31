"""Rules of a house: found in a file where nothing is left to the run, else refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl import Environment
from flowdsl.cli.simulated import overrides
from flowdsl.errors import ConfigError, UsageError
from flowdsl_steps.image.simulator import Simulator

FLOW = """\
inputs: {what: {type: string}, many: {type: integer, default: 1}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    size: 1024x1024
    quality: low
    n: 3
    instruction: "{{ inputs.what }}"
"""


def environment(folder: Path, policy: str, simulator: Simulator | None = None) -> Environment:
    (folder / "flowdsl.toml").write_text(policy, encoding="utf-8")
    (folder / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    settings = {} if simulator is None else overrides(simulator.url, simulator.key)
    return Environment(settings=folder / "flowdsl.toml", overrides=settings)


def found(folder: Path, policy: str) -> list[str]:
    return [
        f"{each.span.first.line} {each.severity} {each.message}"
        for each in environment(folder, policy).check(folder / "a.flow.yaml")
        if each.code == "house-rule"
    ]


BROKEN = {
    "n <= 2": "`n` is `3`",
    "model in ['dall-e-3', 'gpt-image-1']": "`model` is `gpt-image-2`",
    "service != 'OPENAI_IMAGE_GENERATION'": "`service` is `OPENAI_IMAGE_GENERATION`",
    "not (vendor == 'openai' and quality == 'low')": "`vendor` is `openai`, `quality` is `low`",
    "host matches '[.]internal$'": "`host` is `api.openai.com`",
    "model not matches '^gpt'": "`model` is `gpt-image-2`",
}


@pytest.mark.parametrize("rule", BROKEN, ids=lambda rule: rule.split()[0])
def test_a_step_that_breaks_a_rule_is_found_in_its_line(tmp_path: Path, rule: str) -> None:
    (said,) = found(tmp_path, f'policy = ["{rule}"]')
    assert said.startswith(f"3 error {BROKEN[rule]}")
    assert f"flowdsl.toml wants `{rule}`" in said


def test_the_most_that_a_step_can_cost_is_compared(tmp_path: Path) -> None:
    known = environment(tmp_path, 'policy = ["cost <= 0.01"]')
    flow = FLOW.replace("{{ inputs.what }}", "a car")
    (tmp_path / "a.flow.yaml").write_text(flow, encoding="utf-8")
    messages = [each.message for each in known.check(tmp_path / "a.flow.yaml") if each.code == "house-rule"]
    assert messages == ["`cost` is 0.0182, and flowdsl.toml wants `cost <= 0.01`"]


def test_a_rule_has_a_message_and_a_severity_of_its_own(tmp_path: Path) -> None:
    policy = '[[policy]]\nrule = "n <= 2"\nmessage = "two are enough"\nseverity = "note"\n'
    (said,) = found(tmp_path, policy)
    assert said.startswith("3 note two are enough: `n` is `3`")


@pytest.mark.parametrize("rule", ["n <= 3", "prompt matches '^Photo'", "cost < 1 or n == 3"], ids=["n", "prompt", "or"])
def test_what_is_kept_or_left_to_the_run_is_no_finding(tmp_path: Path, rule: str) -> None:
    assert found(tmp_path, f'policy = ["{rule}"]') == []


def test_what_only_the_run_knows_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with Simulator() as simulator:
        flow = environment(tmp_path, "policy = [\"prompt matches '^Photo'\"]", simulator).load(tmp_path / "a.flow.yaml")
        with pytest.raises(ConfigError, match="`prompt` is `a car`") as failed:
            flow.run({"what": "a car"})
        assert simulator.request_count == 0
    assert failed.value.code == "house-rule"
    assert not failed.value.charge_possible
    assert failed.value.span is not None


WRONG = {
    'policy = ["modle == 1"]': "names `modle`, of which no rule can speak(?s:.*)hint: did you mean `model`",
    'policy = ["service != X"]': "A text stands in quotes: 'X'",
    'policy = ["n <="]': "is no rule: found the end of the expression",
    'policy = ["1 < 2"]': "speaks of nothing",
    "policy = [\"prompt matches '('\"]": "is no rule: missing \\)",
    "policy = [3]": "a rule is a text",
    'policy = "n <= 2"': "policy must be a list of rules",
    '[[policy]]\nrule = "n < 3"\nseverty = "note"': "unknown key `severty`(?s:.*)did you mean `severity`",
    '[[policy]]\nrule = "n < 3"\nseverity = "fatal"': "is no severity",
}


@pytest.mark.parametrize("policy", WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_a_rule_that_is_none_is_refused_with_what_would_be_one(tmp_path: Path, policy: str) -> None:
    with pytest.raises(UsageError, match=WRONG[policy]):
        found(tmp_path, policy)
