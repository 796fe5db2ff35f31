"""A SET and an image step that asks for two pictures: it is rehearsed on every service, and the check says what a real
run still needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image as Picture

from flowdsl.cli import main

STEPS = """\
  - step: SET
    text: "A harbour town at night, soft neon light"
  - step: {step}
    n: 2
    size: 1024x1024
"""
AZURE = """\
services:
  AZURE_OPENAI_IMAGE_GENERATION:
    endpoint: https://my-resource.openai.azure.com
    deploymentId: images
"""
DATED = f"{AZURE}    apiVersion: 2025-04-01-preview\n"
FLOWS = {
    "OpenAI": f"flow:\n{STEPS.format(step='OPENAI_IMAGE_GENERATION')}",
    "Azure without an entry": f"flow:\n{STEPS.format(step='AZURE_OPENAI_IMAGE_GENERATION')}",
    "Azure": f"{AZURE}flow:\n{STEPS.format(step='AZURE_OPENAI_IMAGE_GENERATION')}",
    "Azure, dated": f"{DATED}flow:\n{STEPS.format(step='AZURE_OPENAI_IMAGE_GENERATION')}",
    "HUB": f"flow:\n{STEPS.format(step='HUB_IMAGE_GENERATION')}",
}
NEEDS = {
    "OpenAI": [
        "set `model: gpt-image-2.5-sunburst`",
        "not ready: Service not configured: OPENAI_IMAGE_GENERATION; set OPENAI_API_KEY",
    ],
    "Azure without an entry": [
        "set `model: gpt-image-2`",
        "not ready: Service not configured: AZURE_OPENAI_IMAGE_GENERATION; set AZURE_OPENAI_ENDPOINT",
    ],
    "Azure": ["add `model:`", "not ready: Service not configured: AZURE_OPENAI_IMAGE_GENERATION has no `apiKey`"],
    "Azure, dated": [
        "add `model:`",
        "not ready: Service not configured: AZURE_OPENAI_IMAGE_GENERATION has no `apiKey`",
    ],
    "HUB": ["this endpoint may still serve it", "not ready: Service not configured: HUB; "],
}
NEEDS["Azure, dated"] = NEEDS["Azure"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.long
@pytest.mark.parametrize("service", FLOWS)
def test_the_flow_is_rehearsed_and_its_two_pictures_are_named(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("harbour.flow.yaml").write_text(FLOWS[service], encoding="utf-8")
    assert main(["run", "harbour.flow.yaml", "--simulate", "--quiet", "--out", "out", "--as-of", "2026-11-21"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["out/harbour-1.png  1024x1024  PNG", "out/harbour-2.png  1024x1024  PNG"]
    assert lines[-1].startswith("2 images in ")
    for name in ("harbour-1.png", "harbour-2.png"):
        with Picture.open(Path("out") / name) as picture:
            assert picture.size == (1024, 1024)


@pytest.mark.parametrize("service", FLOWS)
def test_validate_says_what_a_real_run_still_needs(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("harbour.flow.yaml").write_text(FLOWS[service], encoding="utf-8")
    plain = main(["validate", "--as-of", "2026-11-21", "harbour.flow.yaml"])
    said = capsys.readouterr().out
    assert (plain, "not ready" in said) == (int(service in ("OpenAI", "Azure without an entry")), False)
    assert main(["validate", "--env", "--as-of", "2026-11-21", "harbour.flow.yaml"]) == 1
    listed = capsys.readouterr().out
    assert [need for need in NEEDS[service] if need not in listed] == []
    assert len(re.findall("not ready", listed)) == 1


def test_a_flow_with_all_it_needs_lacks_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test")
    Path("harbour.flow.yaml").write_text(f"{FLOWS['OpenAI']}    model: gpt-image-2\n", encoding="utf-8")
    assert main(["validate", "--env", "--as-of", "2026-11-21", "harbour.flow.yaml"]) == 0
    assert "not ready" not in capsys.readouterr().out


def test_a_secret_that_is_not_set_is_missing_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = "services:\n  OPENAI_IMAGE_GENERATION: {model: gpt-image-2, apiKey: \"{{ secret('HARBOUR_KEY') }}\"}\n"
    steps = STEPS.format(step="OPENAI_IMAGE_GENERATION")
    Path("harbour.flow.yaml").write_text(f"{entry}flow:\n{steps}{steps}", encoding="utf-8")
    main(["validate", "--env", "--as-of", "2026-11-21", "harbour.flow.yaml"])
    listed = capsys.readouterr().out
    assert listed.count("not ready: HARBOUR_KEY is not set in the environment") == 1
    monkeypatch.setenv("HARBOUR_KEY", "sk-of-a-test")
    main(["validate", "--env", "--as-of", "2026-11-21", "harbour.flow.yaml"])
    assert "not ready" not in capsys.readouterr().out
