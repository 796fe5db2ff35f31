"""What a project says of models in its settings file counts in its checks, runs and lists, and in no other's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Limits, Storage, UsageError
from flowdsl.cli import main
from flowdsl.errors import LimitExceeded
from flowdsl.image.own_models import OWN_MODELS, counting
from flowdsl.settings.models import own_models
from flowdsl_steps.image import cost
from flowdsl_steps.image.catalogue import catalogue
from flowdsl_steps.image.simulator import Simulator

STEP = {"step": "OPENAI_IMAGE_GENERATION", "instruction": "A lighthouse", "model": "gpt-image-3"}
NEW = """\
[models.gpt-image-3]
like = "gpt-image-2"
released = 2026-11-01
sizes = ["1024x1024", "2048x2048", "auto"]
qualities = ["draft", "final"]
prices = { draft = 0.01, final = 0.2 }
"""
Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose settings file says something of models."""

    def made(settings: str, **step: Any) -> Path:
        (tmp_path / "flowdsl.toml").write_text(settings, encoding="utf-8")
        (tmp_path / "a.flow.yaml").write_text(json.dumps({"flow": [{**STEP, **step}]}), encoding="utf-8")
        return tmp_path / "a.flow.yaml"

    return made


def said(path: Path) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in flowdsl.check(path)]


def test_a_new_model_is_known_to_the_check_with_its_own_sizes_and_qualities(project: Project) -> None:
    assert [code for code, _ in said(project("", size="2048x2048"))] == ["unknown-model"]
    assert said(project(NEW, size="2048x2048", quality="draft", timeoutMs=180_000)) == []
    codes = [code for code, _ in said(project(NEW, size="1536x1024", quality="high"))]
    assert codes == ["unsupported-value", "unsupported-value"]


def test_its_other_rules_are_those_of_the_model_it_is_like(project: Project) -> None:
    assert ("unsupported-parameter", "`gpt-image-3` has no `style`") in said(project(NEW, style="vivid"))


def test_a_last_day_that_the_project_knows_counts(project: Project) -> None:
    ends = '[models.gpt-image-2]\nshutdown = "2026-01-01"\nreplacement = "gpt-image-2.6-flare"\n'
    ((code, message),) = said(project(ends, model="gpt-image-2"))
    assert (code, message) == ("retired-model", "`gpt-image-2` was shut down by OpenAI on 2026-01-01")
    only_azure = "[models.gpt-image-2.azure]\nshutdown = 2026-01-01\n"
    assert said(project(only_azure, model="gpt-image-2")) == []


@pytest.mark.parametrize(
    ("prices", "quality", "usd"),
    [
        ("prices = 0.5", "high", 0.5),
        ("prices = {low = 0.1, high = 0.4}", "high", 0.4),
        ('prices = {"1024x1024" = 0.3, "2048x2048" = 9}', "low", 0.3),
        ('prices = {"1024x1024" = {low = 0.25, high = 9}}', "low", 0.25),
        ("rates = {image_out = 60}", "low", 196 * 60 / 1e6),
    ],
    ids=["one", "by quality", "by size", "by both", "for tokens"],
)
def test_a_price_that_the_project_knows_is_reckoned_with(prices: str, quality: str, usd: float) -> None:
    import tomllib

    own = own_models("flowdsl.toml", tomllib.loads(f"[models.gpt-image-2]\n{prices}\n")["models"])
    with counting(own):
        model = catalogue().find("gpt-image-2")
        assert model is not None
        assert cost.estimate(model, "openai", "1024x1024", quality) == (pytest.approx(usd), pytest.approx(usd))
    before = catalogue().find("gpt-image-2")
    assert before is not None
    assert cost.estimate(before, "openai", "1024x1024", "low") == (pytest.approx(0.00588), pytest.approx(0.00588))


def test_a_run_may_spend_by_the_price_of_the_project_and_says_it(project: Project, tmp_path: Path) -> None:
    path = project("[models.gpt-image-2]\nprices = 0.5\n", model="gpt-image-2", quality="low", size="1024x1024")
    with Simulator() as simulator:
        services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
        environment = Environment(services=services, storage=Storage(images=tmp_path / "images"))
        with pytest.raises(LimitExceeded):
            environment.load(path).run(limits=Limits(max_usd=0.49))
        assert environment.load(path).run(limits=Limits(max_usd=0.51)).cost_usd == pytest.approx(0.5)
        assert simulator.request_count == 1
    assert OWN_MODELS.get() is None


def test_the_simulator_draws_a_new_model_as_the_one_that_it_is_like(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project(NEW, size="1024x1024")
    assert main(["run", str(path), "--simulate", "--quiet", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.count("1024x1024  PNG") == 1


def test_two_projects_do_not_mix(project: Project, tmp_path: Path) -> None:
    """Equal steps are checked once; what their projects say of models tells them apart."""
    first = project("[models.gpt-image-2]\nshutdown = 2026-01-01\n", model="gpt-image-2")
    other = tmp_path / "other"
    other.mkdir()
    (other / "flowdsl.toml").write_text("", encoding="utf-8")
    second = other / "a.flow.yaml"
    second.write_text(first.read_text(encoding="utf-8"), encoding="utf-8")
    assert [code for code, _ in said(first)] == ["retired-model"]
    assert said(second) == []


def test_the_list_of_models_has_them(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project(NEW + "[models.gpt-image-2]\nprices = 0.5\n").parent)
    assert main(["models", "--provider", "openai"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  gpt-image-3             $0.010 to $0.200 a 1024x1024 picture"
    assert main(["models", "gpt-image-3"]) == 0
    page = capsys.readouterr().out
    assert "  assumed    all that is not said is as of gpt-image-2" in page
    assert "flowdsl.toml (not dated, own)" in page.replace("\n" + " " * 13, " ")


MISTAKES: dict[str, tuple[str, str, str, str]] = {
    "a number": ("models = 3", "1:10", "models must be a table of tables", 'write `[models."a-name"]`'),
    "a number for a model": (
        "[models]\ngpt-image-2 = 5",
        "2:15",
        "models.gpt-image-2 must be a table",
        'write `[models."gpt-image-2"]`, and below it what is known of it',
    ),
    "a key": ("[models.x]\npricess = 3", "2:1", "models.x: unknown key `pricess`", "did you mean `prices`?"),
    "a day": (
        "[models.x]\nreleased = 'soon'",
        "2:12",
        "models.x.released must be a day, such as 2027-01-31, not `soon`",
        "write `released = 2027-01-31`",
    ),
    "an end before the beginning": (
        "[models.x]\nreleased = 2027-01-01\nshutdown = 2026-01-01",
        "3:12",
        "models.x.shutdown is 2026-01-01, and the model is released on 2027-01-01",
        "write the first day without it, which comes later",
    ),
    "a price": (
        "[models.x]\nprices = -1",
        "2:10",
        "models.x.prices is `-1`, which is no sum in USD",
        "write a number that is not below 0, such as 0.05",
    ),
    "a price of a quality": (
        "[models.x]\nprices = {low = 'cheap'}",
        "2:17",
        "models.x.prices.low is `cheap`, which is no sum in USD",
        "write a number that is not below 0, such as 0.05",
    ),
    "a quality beside sizes": (
        '[models.x]\nprices = {"1024x1024" = 1, low = 2}',
        "2:28",
        "models.x.prices has `low` beside sizes, which is none",
        "write prices by size, or by quality, or by quality inside of a size",
    ),
    "a rate": (
        "[models.x]\nrates = {image_ot = 3}",
        "2:10",
        "models.x.rates: unknown key `image_ot`",
        "did you mean `image_out`?",
    ),
    "a rate alone": (
        "[models.x]\nrates = 3",
        "2:9",
        "models.x.rates must be a table of USD for a million tokens",
        "write `rates = { text_in = 5, image_out = 30 }`",
    ),
    "sizes": (
        "[models.x]\nsizes = '1024x1024'",
        "2:9",
        "models.x.sizes must be a list of texts",
        'write `sizes = ["1024x1024"]`',
    ),
    "no sizes": ("[models.x]\nsizes = []", "2:1", "models.x.sizes names none", 'write `sizes = ["1024x1024"]`'),
    "a size": (
        '[models.x]\nsizes = ["auto", "1024*768"]',
        "2:18",
        "models.x.sizes.1 is `1024*768`, which is no size",
        'write `"1024x768"`',
    ),
    "a key of a vendor": (
        "[models.x.azure]\nshutdwn = 2026-01-01",
        "2:1",
        "models.x.azure: unknown key `shutdwn`",
        "did you mean `shutdown`?",
    ),
    "another key of a vendor": (
        "[models.x.azure]\nends = 2026-01-01",
        "2:1",
        "models.x.azure: unknown key `ends`",
        "a vendor has released, shutdown, replacement",
    ),
    "a vendor": (
        "[models.gpt-image-2.opnai]\nshutdown = 2027-01-01",
        "1:21",
        "models.gpt-image-2.opnai is no vendor",
        "did you mean `openai`?",
    ),
    "a name that is none": (
        "[models.x]\nlike = 3",
        "2:8",
        "models.x.like must be the name of a model",
        'write it in quotes: `like = "gpt-image-2"`',
    ),
    "a new model that is like none": (
        "[models.x]\nprices = 1",
        "1:9",
        "models.x: say which known model it is like",
        'add `like = "gpt-image-2.6-sunburst"`',
    ),
    "a misspelt model": (
        "[models.x]\nlike = 'gpt-imgae-2'",
        "2:8",
        "nothing is known of `gpt-imgae-2`, which models.x is like",
        "did you mean `gpt-image-2`?",
    ),
    "a misspelt model of another vendor": (
        "[models.x]\nlike = 'gemini-3-pro-imge'",
        "2:8",
        "nothing is known of `gemini-3-pro-imge`, which models.x is like",
        "did you mean `gemini-3-pro-image`?",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_the_table_has_its_place_a_caret_and_a_hint(
    case: str, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, place, said, hint = MISTAKES[case]
    path = project(settings)
    monkeypatch.chdir(path.parent)
    with pytest.raises(UsageError) as raised:
        flowdsl.check(path)
    first, *lines = str(raised.value).splitlines()
    assert first == f"flowdsl.toml:{place}: error: {said} [invalid-setting]"
    assert "^" in lines[1]
    assert lines[-1].strip() == f"hint: {hint}"
    for command in (["models"], ["models", "gpt-image-2"], ["validate", "a.flow.yaml"]):
        assert main(command) == 2
        assert first in capsys.readouterr().err


REMEDIES = {
    "a size": '[models.gpt-image-2]\nsizes = ["auto", "1024x768"]\nprices = 0.1',
    "an unlike model": '[models.x]\nprices = 1\nlike = "gpt-image-2.6-sunburst"',
    "rates": "[models.gpt-image-2]\nrates = { text_in = 5, image_out = 30 }",
    "a day": "[models.gpt-image-2]\nreleased = 2026-01-31\nshutdown = 2099-01-31",
    "another's": "[models.x]\nlike = 'gemini-3-pro-image'\nprices = 0.05",
    "of a vendor elsewhere": "[models.x.aurora]\nshutdown = 2027-01-01",
}


@pytest.mark.parametrize("case", REMEDIES)
def test_what_a_hint_says_to_write_is_right(case: str, project: Project) -> None:
    assert [code for code, _ in said(project(REMEDIES[case], model="gpt-image-2"))] == []
