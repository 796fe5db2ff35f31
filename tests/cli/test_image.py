"""`flowdsl image`: one picture without a file, checked and run as a flow is."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl_steps.image.simulator import Simulator

MODEL = ("--model", "gpt-image-2")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def sent(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[Any]:
    """The bodies that reach the vendor."""
    with Simulator() as simulator:
        monkeypatch.setenv("OPENAI_BASE_URL", simulator.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", simulator.key)
        assert main(["image", *arguments, "-q", "--out", "pictures"]) == 0
        return [request.json for request in simulator.requests]


@pytest.mark.parametrize(
    "prompt", ["a boat", "@boat", "@@boat", "{{ flowContext.x }} {city}", 'say "hi": \\ #1', "null"],
    ids=["plain", "at", "two-ats", "braces", "signs", "constant"],
)  # fmt: skip
def test_a_prompt_is_sent_as_it_was_typed(prompt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (body,) = sent(monkeypatch, prompt, *MODEL)
    assert body["prompt"] == prompt


def test_options_of_the_picture_reach_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("--size", "1536x1024", "--quality", "low", "-n", "2", "--set", "output_format=webp")
    (body,) = sent(monkeypatch, "a boat", *MODEL, *keys)
    assert {name: body[name] for name in ("model", "size", "quality", "n", "output_format")} == {
        "model": "gpt-image-2",
        "size": "1536x1024",
        "quality": "low",
        "n": 2,
        "output_format": "webp",
    }
    assert len(list(Path("pictures").glob("*.webp"))) == 2


def test_a_prompt_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a boat\nat sea\n")))
    (body,) = sent(monkeypatch, "-", *MODEL)
    assert body["prompt"] == "a boat\nat sea"


def test_a_model_that_lives_is_used_when_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "a boat", "--simulate", "--as-of", "2026-11-21"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("flowdsl: no --model is given; the run has `model: ")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=["told", "quiet"])
def test_a_size_that_is_changed_with_the_model_is_told(quiet: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--size", "1000x1000", "--quality", "hd", "--as-of", "2026-11-21"]
    assert main(["image", "a boat", *asked, "--simulate", *quiet]) == 0
    said = capsys.readouterr().err.splitlines()[0]
    assert said.endswith("-sunburst`, `quality: high` for `hd`, `size: 992x992` for `1000x1000`")


def test_mistakes_of_a_picture_are_found_before_anything_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "a boat", *MODEL, "--size", "1000x1000", "--simulate"]) == 1
    said = capsys.readouterr().err
    assert "error: `gpt-image-2` does not accept the size `1000x1000`" in said
    assert "[unsupported-value]" in said
    assert not Path("flowdsl-images").exists()


def test_a_key_that_no_step_has_gets_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "a boat", *MODEL, "--set", "backgroud=opaque", "--simulate"]) == 1
    assert "did you mean `background`?" in capsys.readouterr().err


@pytest.mark.long
def test_the_service_whose_settings_are_there_makes_the_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://harbour.openai.azure.com")
    assert main(["image", "a boat", *MODEL]) == 4
    assert "in AZURE_OPENAI_IMAGE_GENERATION (flow[0])" in capsys.readouterr().err
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert main(["image", "a boat", "--model", "gpt-imag-2", "--size", "1x1"]) == 4
    assert "step: OPENAI_IMAGE_GENERATION" in capsys.readouterr().err


def test_a_service_is_chosen_by_name_or_by_its_entry_in_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    Path("flowdsl.toml").write_text('[services.STUDIO]\nprovider = "hub"\n', encoding="utf-8")
    for name in ("HUB", "STUDIO"):
        assert main(["image", "a boat", *MODEL, "--service", name, "--simulate"]) == 0
        assert "✓ HUB_IMAGE_GENERATION" in capsys.readouterr().err
    assert main(["image", "a boat", "--service", "STUDIOS", "--simulate"]) == 2
    assert "there is no service `STUDIOS`; did you mean `STUDIO`?" in capsys.readouterr().err


def test_json_of_a_picture_is_its_outputs_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "a boat", *MODEL, "--simulate", "--json", "-q"]) == 0
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert image["mime"] == "image/png"


def test_a_prompt_of_several_words_without_quotes_is_told_to_have_some(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "a", "red", "kite", "--simulate"]) == 2
    said = "flowdsl image: unknown argument `red`; write the prompt in quotes, as one argument\n"
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.long
def test_a_model_that_nobody_has_offers_no_resume_of_what_was_never_paid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "a boat", "--model", "gpt-imagee-2", "--simulate", "-q"]) == 4
    err = capsys.readouterr().err
    assert "does not exist" in err and "resume" not in err
