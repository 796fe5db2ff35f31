"""A service entry of flowdsl.toml whose name is misspelt does nothing: that is told, with the name that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main

BOAT = "{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: a boat, size: 1024x1024, quality: low}\n"
SAID = """\
flowdsl.toml:1:11: warning: the service entry `OPENAI_IMAGE_GENERATOIN` has no effect: no step asks a service of this \
name [no-effect]
   1 | [services.OPENAI_IMAGE_GENERATOIN]
     |           ^^^^^^^^^^^^^^^^^^^^^^^
  hint: did you mean `OPENAI_IMAGE_GENERATION`?
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(f"- {BOAT}", encoding="utf-8")


def said(toml: str, capsys: pytest.CaptureFixture[str]) -> str:
    Path("flowdsl.toml").write_text(toml, encoding="utf-8")
    main(["validate", "a.flow.yaml"])
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_it_is_shown_with_the_name_that_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert SAID in said("[services.OPENAI_IMAGE_GENERATOIN]\ntimeoutMs = 5000\n", capsys)
    assert main(["run", "a.flow.yaml", "--simulate"]) == 0
    assert "did you mean `OPENAI_IMAGE_GENERATION`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["OPENAI_IMAGE_GENERATION", "OPENAI_IMAGE_GENERATION_EU", "studio", "AZURE_OPENAI_IMAGE_GENERATION"]
)
def test_names_that_may_be_meant_are_left_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no findings" in said(f"[services.{name}]\ntimeoutMs = 5000\n", capsys)


def test_a_name_that_a_step_or_a_route_has_is_none_that_is_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    entry = "[services.OPENAI_IMAGE_GENERATION2]\ntimeoutMs = 5000\n"
    assert "no-effect" in said(entry, capsys)
    assert "no-effect" not in said(f"{entry}[services.OPENAI_IMAGE_GENERATION]\ntimeoutMs = 6000\n", capsys)
    Path("a.flow.yaml").write_text(f"- {BOAT.replace('{', '{service: OPENAI_IMAGE_GENERATION2, ', 1)}", "utf-8")
    assert "no findings" in said(entry, capsys)


def test_the_check_of_a_gateway_tells_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("starlette")
    entry = '[serve]\nflows = ["a.flow.yaml"]\n[services.OPENAI_IMAGE_GENERATOIN]\ntimeoutMs = 5000\n'
    Path("flowdsl.toml").write_text(entry, encoding="utf-8")
    assert main(["serve", "--check"]) == 0
    assert "did you mean `OPENAI_IMAGE_GENERATION`?" in capsys.readouterr().err
    Path("a.flow.yaml").write_text(f"- {BOAT.replace('{', '{service: OPENAI_IMAGE_GENERATOIN, ', 1)}", encoding="utf-8")
    assert main(["serve", "--check"]) == 0
    assert "no-effect" not in capsys.readouterr().err


def test_no_key_of_the_line_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    key = "sk-proj-" + "abcdefghij" * 4
    shown = said(f'services = {{OPENAI_IMAGE_GENERATOIN = {{apiKey = "{key}"}}}}\n', capsys)
    assert "did you mean `OPENAI_IMAGE_GENERATION`?" in shown
    assert key not in shown
