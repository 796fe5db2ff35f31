"""`flowdsl models`: the facts an author chooses a model by, and how old they are."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from flowdsl.cli import main
from flowdsl.services import providers
from flowdsl_steps.image.catalogue import catalogue

AS_OF = date.fromisoformat(catalogue().facts["as_of"])


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["models", *arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_the_list_has_each_model_with_its_price_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "--provider", "openai", "--as-of", "2026-11-21").splitlines()
    assert lines[0] == "OpenAI (provider: openai)"
    assert "  gpt-image-2             $0.006 to $0.211 a 1024x1024 picture" in lines
    [ended] = [line for line in lines if "dall-e-3" in line]
    assert ended.endswith("shut down 2026-05-12: use gpt-image-2.5-sunburst")
    [ending] = [line for line in lines if "gpt-image-1.5" in line]
    assert ending.endswith("until 2026-12-01, then gpt-image-2.5-sunburst")


def test_a_model_is_shown_at_each_vendor_that_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    page = printed(capsys, "gpt-image-2", "--as-of", "2026-11-21")
    assert "gpt-image-2 (OpenAI)" in page
    assert "gpt-image-2 (Azure OpenAI)" in page
    assert "  price      $0.053 for a 1024x1024 picture of quality medium" in page
    assert "  option     output_format: png, jpeg; default png" in page  # what Azure lacks is not offered
    assert "  assumed    prices are OpenAI's" in page


def test_a_snapshot_is_found_by_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert "gpt-image-2 (OpenAI)" in printed(capsys, "gpt-image-2-2026-04-21")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gpt-imgae-2"], "nothing is known of the model `gpt-imgae-2`; did you mean gpt-image-2?"),
        (["midjourney"], "nothing is known of the model `midjourney`; `flowdsl models` lists those that are known"),
        (
            ["gpt-image-2.6-flare", "--provider", "azure"],
            "nothing is known of the model `gpt-image-2.6-flare` of azure: it is one of openai; did you",
        ),
        (
            ["gpt-image-2", "--provider", "gemini"],
            "nothing is known of the model `gpt-image-2` of gemini: it is one of azure, openai; `flowdsl models` lists",
        ),
        (["GPT-IMAGE-2"], "nothing is known of the model `GPT-IMAGE-2`; did you mean gpt-image-2?"),
        (["gemini-3-pro"], "nothing is known of the model `gemini-3-pro`; did you mean gemini-3-pro-image?"),
        ([""], "nothing is known of the model ``; `flowdsl models` lists those that are known"),
        (["openai"], "`openai` is a provider, and no model: `flowdsl models --provider openai` lists what it has"),
        (["--provider", "opnai"], "no models are known of a provider `opnai`; did you mean openai? there are azure, "),
    ],
    ids=["typo", "others", "not here", "none here", "capitals", "a beginning", "empty", "vendor", "provider"],
)
def test_what_is_not_known_is_said_with_what_is(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in printed(capsys, *arguments, code=2)


@pytest.mark.parametrize(("days", "old"), [(60, False), (61, True)])
def test_facts_of_more_than_sixty_days_are_called_old(days: int, old: bool, capsys: pytest.CaptureFixture[str]) -> None:
    day, openai = AS_OF + timedelta(days=days), ("--provider", "openai")
    assert (f"These facts are {days} days old" in printed(capsys, *openai, "--as-of", day.isoformat())) is old
    facts = json.loads(printed(capsys, *openai, "--json", "--as-of", day.isoformat()))
    assert {model["age_days"] for model in facts["models"]} == {days}


def test_json_holds_every_model_of_every_vendor_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    models = json.loads(printed(capsys, "--json"))["models"]
    known = {(name, model.name) for name, vendor in providers().items() for model in vendor.models()}
    assert {(model["provider"], model["name"]) for model in models} == known
    assert {"azure", "gemini", "openai"} <= {provider for provider, _ in known}
    assert "hub" not in {provider for provider, _ in known}  # it has none of its own
    for model in models:
        assert model["sources"]
        assert all(price["least"] <= price["most"] for price in model["prices"].values())
        assert model["state"] in ("alive", "dying", "dead", "unknown")
