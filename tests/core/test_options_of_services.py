"""Defaults under `options` of a service entry: what no step has, and what none takes, is told before the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowdsl import Diagnostic, Environment, Step, StepContext, UsageError, render
from flowdsl.diagnostics import fixed
from flowdsl.source import Source

STEP = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A boat}\n"


def told(found: list[Diagnostic]) -> list[tuple[str, str, str | None]]:
    return [(each.code, each.span.text, each.hint) for each in found]


def checked(tmp_path: Path, settings: str) -> list[Diagnostic]:
    (tmp_path / "flowdsl.toml").write_text(settings, encoding="utf-8")
    (tmp_path / "boat.flow.yaml").write_text(STEP, encoding="utf-8")
    return Environment(environ={}).check(tmp_path / "boat.flow.yaml")


def test_a_misspelt_option_in_the_settings_file_is_told_where_it_stands(tmp_path: Path) -> None:
    found = checked(tmp_path, '[services.OPENAI_IMAGE_GENERATION.options]\nqualty = "low"\n"colour" = "red"\n')
    assert told(found) == [("unknown-key", "qualty", "did you mean `quality`?"), ("unknown-key", "colour", None)]
    assert found[0].span.source.path.endswith("flowdsl.toml")
    assert found[0].span.first.line == 2


def test_a_value_that_no_step_takes_is_told_before_the_run(tmp_path: Path) -> None:
    found = checked(tmp_path, '[services.OTHER]\noptions = {quality = "low", n = "two"}\n')
    assert told(found) == [("wrong-type", "n", "write `n = 2`")]


def test_a_finding_of_an_option_shows_no_key_beside_it(tmp_path: Path) -> None:
    found = checked(tmp_path, 'services.A = {apiKey = "sk-abcdefgh12345678", options = {qualty = "low"}}\n')
    assert {each.code for each in found} == {"plain-secret", "unknown-key"}
    assert "sk-abcdefgh12345678" not in render(found)


@pytest.mark.parametrize(
    "option", ["target: openai", "input_fidelity: high", "filename: boat", "n: '{{ 1 }}'", "n: null"]
)
def test_an_option_of_any_step_with_a_service_is_known(option: str) -> None:
    flow = f"services:\n  SHARED:\n    options:\n      {option}\nflow:\n- {{step: SET, a: 1}}\n"
    assert Environment().check(flow) == []


class Painted(Step, name="PAINTED", service="PAINTER"):
    """Paints."""

    brush: int = 1
    """The brush."""

    async def run(self, ctx: StepContext) -> None:
        """Paints nothing."""


def test_an_option_of_a_step_of_the_host_is_known() -> None:
    flow = "services:\n  PAINTER:\n    options:\n      brush: 2\nflow:\n- {step: PAINTED}\n"
    environment: Any = Environment(steps=[Painted])
    assert environment.check(flow) == []
    assert told(environment.check(flow.replace("brush: 2", "brush: soft")))[0][:2] == ("wrong-type", "soft")


def test_the_fix_of_a_misspelt_option_mends_it() -> None:
    flow = f"services:\n  OPENAI_IMAGE_GENERATION:\n    options:\n      qualty: low\nflow:\n{STEP}"
    source = Source(flow)
    (found,) = Environment().check(source)
    assert Environment().check(fixed(source, found.fixes[0])) == []


def test_a_default_that_a_template_decides_is_not_judged_before_the_run(tmp_path: Path) -> None:
    flow = f"services:\n  OPENAI_IMAGE_GENERATION:\n    options:\n      quality: '{{{{ 1 }}}}'\nflow:\n{STEP}"
    assert Environment().check(flow) == []
    assert checked(tmp_path, "[services.OPENAI_IMAGE_GENERATION.options]\nquality = '{{ 1 }}'\n") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"qualty": "low"}, "unknown option `qualty`, did you mean `quality`?"),
        ({"n": "two"}, "`n` takes a whole number"),
    ],
)
def test_a_host_that_gives_a_wrong_default_is_told_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=r"Environment: services\.PAINTER\.options: ") as raised:
        Environment(services={"PAINTER": {"options": options}})
    assert said in str(raised.value)


def test_a_host_gives_defaults_to_its_own_steps() -> None:
    environment: Any = Environment(steps=[Painted], services={"PAINTER": {"options": {"brush": 3}}})
    assert environment.check("- step: PAINTED\n") == []
