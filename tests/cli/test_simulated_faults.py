"""`run --simulate --fault STEP=KIND`: fallback, retry and onError can be provoked."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main

FALLBACK = """\
flow:
  - step: TRY
    try:
      - step: OPENAI_IMAGE_GENERATION
        id: paint
        model: gpt-image-2
        instruction: a red fox
    catch:
      - step: SET
        took: the other way
  - step: HUB_IMAGE_GENERATION
    model: gpt-image-2
    instruction: a red fox
"""
ON_ERROR = """\
flow:
  - step: OPENAI_IMAGE_GENERATION
    id: paint
    model: gpt-image-2
    instruction: a red fox
onError:
  - step: SHOW_NOTIFICATION
    message: it went wrong
"""


def run(flow: str, *arguments: str) -> int:
    Path("a.flow.yaml").write_text(flow, encoding="utf-8")
    return main(["run", "a.flow.yaml", "--simulate", *arguments])


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "step", ["paint", "OPENAI_IMAGE_GENERATION", "flow[0].try[0]", "a.flow.yaml:4", "a.flow.yaml:4:15"]
)
def test_a_fallback_is_provoked_under_simulate(step: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(FALLBACK, "--fault", f"{step}=moderation", "--json") == 0
    out = capsys.readouterr().out
    assert '"took": "the other way"' in out


def test_a_fault_leaves_the_other_steps_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(FALLBACK, "--fault", "HUB_IMAGE_GENERATION=moderation") == 4
    assert "HUB_IMAGE_GENERATION (flow[1])" in capsys.readouterr().err
    assert run(FALLBACK, "--fault", "paint=moderation:*", "--json") == 0


def test_a_retry_is_provoked_under_simulate(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ON_ERROR, "--fault", "paint=rate_limit:2,retry_after=0.01") == 0
    assert capsys.readouterr().err.count("sent again") == 2


def test_on_error_is_provoked_under_simulate(capsys: pytest.CaptureFixture[str]) -> None:
    run(ON_ERROR, "--fault", "paint=auth")
    assert "it went wrong" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("piant=hang", "there is no step `piant` that asks a service; did you mean `paint`?"),
        ("paint=hagn", "Unknown fault 'hagn'. Did you mean 'hang'?"),
        ("TRY=hang", "TRY (flow[0]) asks no service, so no fault of one can be simulated for it"),
        ("hang", "`hang` is not STEP=KIND[:TIMES]; write for example paint=rate_limit:2"),
        ("paint=", "`paint=` is not STEP=KIND[:TIMES]; write for example paint=rate_limit:2"),
    ],
)
def test_a_fault_that_fits_nothing_says_what_would(
    fault: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(FALLBACK, "--fault", fault) == 2
    assert message in capsys.readouterr().err


def test_a_fault_needs_simulate(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.flow.yaml").write_text(FALLBACK, encoding="utf-8")
    assert main(["run", "a.flow.yaml", "--fault", "paint=hang"]) == 2
    assert "--fault goes with --simulate" in capsys.readouterr().err


def test_the_summary_says_what_error_nobody_caught(capsys: pytest.CaptureFixture[str]) -> None:
    dropped = FALLBACK.replace("    catch:\n      - step: SET\n        took: the other way\n", "    retry: {max: 1}\n")
    assert run(dropped, "--fault", "paint=moderation:*", "--quiet") == 0
    out = capsys.readouterr().out
    assert "warning: TRY dropped an error of OPENAI_IMAGE_GENERATION: " in out
    assert run(dropped.replace("    retry: {max: 1}\n", "    catch: []\n"), "--fault", "paint=moderation:*", "-q") == 0
    assert "dropped" not in capsys.readouterr().out
