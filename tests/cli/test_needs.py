"""`validate --env`: what a flow needs of its environment and does not find there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = """\
services:
  OPENAI_IMAGE_GENERATION: {endpoint: "https://img.example.com/v1", apiKey: "{{ secret('FIRST_KEY') }}"}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: A boat
  - step: AZURE_OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: A boat
  - step: IF
    condition: "{{ flowContext.imageList | length }}"
    then:
      - step: REST
        url: https://example.com/x
        headers: {Authorization: "Bearer {{ secret('SECOND_KEY') }}"}
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    for name in ("FIRST_KEY", "SECOND_KEY", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    Path("a.flow.yaml").write_text(FLOW)
    return "a.flow.yaml"


def test_secrets_and_services_that_are_not_set_are_listed(flow: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", flow]) == 0
    capsys.readouterr()
    assert main(["validate", "--env", flow]) == 1
    lines = [line.partition(";")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines[2:5] == [
        "a.flow.yaml:4:11: not ready: FIRST_KEY is not set in the environment",
        "a.flow.yaml:7:11: not ready: Service not configured: AZURE_OPENAI_IMAGE_GENERATION",
        "a.flow.yaml:13:15: not ready: SECOND_KEY is not set in the environment",
    ]


def test_json_stays_json_and_the_exit_code_says_that_something_is_not_set(
    flow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "--env", "--format", "json", flow]) == 1
    shown = capsys.readouterr()
    assert shown.out == "[]\n"
    assert shown.err.count(" is not set in the environment\n") == 2


def test_nothing_is_listed_where_all_is_set(
    flow: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_KEY", "SECOND_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://a.openai.azure.com")
    assert main(["validate", "--env", flow]) == 0
    assert "not set" not in capsys.readouterr().out


def test_a_rehearsal_knows_the_variables_that_the_real_run_would_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAND", "x")
    Path("brand.flow.yaml").write_text("- {step: SET, text: '{{ env.BRAND }}'}\n")
    assert main(["run", "brand.flow.yaml", "--env", "BRAND", "--simulate"]) == 0
    assert "a real run is refused" not in capsys.readouterr().err
