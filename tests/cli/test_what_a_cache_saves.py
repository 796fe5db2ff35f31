"""What `--cache` would save, in a plan and after a run, and what it has saved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

import flowdsl
from flowdsl.cli import main
from flowdsl.journal.journal import Journal
from flowdsl.plan.sharing import shared
from flowdsl_steps.image.simulator import Simulator

PICTURE = "step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low"
FLOW = f"""\
- step: FOR
  var: n
  start: 1
  end: 3
  collect: "{{{{ flowContext.imageList[0] }}}}"
  collectKey: all
  do:
    - {{{PICTURE}, instruction: A boat}}
- {{{PICTURE}, instruction: A ship}}
"""
Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")
    with Simulator() as simulator:
        monkeypatch.setenv("OPENAI_BASE_URL", simulator.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", simulator.key)

        def called(*arguments: str) -> tuple[str, str]:
            assert main(list(arguments)) == 0
            printed = capsys.readouterr()
            return printed.out, printed.err

        yield called


def test_a_plan_and_a_run_say_what_equal_requests_would_save(run: Run) -> None:
    out, _ = run("plan", "a.flow.yaml")
    assert out.endswith(
        "2 of 4 requests ask for the same as another: `--cache run` buys that once, up to $0.0121 less\n"
    )
    found = json.loads(run("plan", "a.flow.yaml", "--json")[0])["cache"]
    assert found == {"run": {"requests": 2, "usd": pytest.approx(0.01212, abs=1e-5)}}
    _, err = run("run", "a.flow.yaml")
    assert "2 requests asked for the same as another: `--cache run` buys that once, $0.01 less\n" in err
    _, err = run("run", "a.flow.yaml", "--cache", "run")
    assert "--cache run: 2 requests were not paid for again, $0.01 less\n" in err


def test_a_plan_and_a_run_say_what_was_bought_before(run: Run) -> None:
    run("run", "a.flow.yaml", "--quiet", "--cache", "run")
    out, _ = run("plan", "a.flow.yaml")
    assert "4 of 4 requests ask for the same as another, or for what was bought before: `--cache project` buys" in out
    assert json.loads(run("plan", "a.flow.yaml", "--json")[0])["cache"]["project"]["requests"] == 4
    _, err = run("run", "a.flow.yaml", "--cache", "run")
    assert "2 requests asked for the same as one that was bought before: `--cache project` buys that once" in err
    _, err = run("run", "a.flow.yaml", "--cache", "project")
    assert "--cache project: 4 requests were not paid for again, $0.02 less\n" in err


def test_two_pictures_that_a_step_asks_for_in_two_requests_stay_two_with_a_cache(run: Run) -> None:
    step = "- {step: OPENAI_IMAGE_GENERATION, model: dall-e-3, n: 2, instruction: A boat}\n"
    Path("a.flow.yaml").write_text(step, encoding="utf-8")
    _, err = run("run", "a.flow.yaml", "--simulate", "--cache", "run", "--out", "one")
    assert "paid for again" not in err and len({path.read_bytes() for path in Path("one").glob("*.png")}) == 2
    Path("a.flow.yaml").write_text(step * 2, encoding="utf-8")
    _, err = run("run", "a.flow.yaml", "--simulate", "--cache", "project", "--out", "two")
    assert "--cache project: 4 requests were not paid for again" in err
    _, err = run("run", "a.flow.yaml", "--simulate", "--cache", "run", "--out", "three")
    assert "--cache run: 2 requests were not paid for again" in err


def test_a_plan_counts_two_requests_for_two_pictures_of_a_step_as_two() -> None:
    at = flowdsl.Environment(as_of=date(2026, 1, 1))
    step = "- {step: OPENAI_IMAGE_GENERATION, model: dall-e-3, n: 2, instruction: A boat}\n"
    assert shared(at.load(step).plan())[:2] == (0, 2)
    assert shared(at.load(step * 2).plan())[:2] == (2, 4)


def test_a_step_that_asks_for_several_pictures_gets_several_with_a_cache_too(run: Run) -> None:
    pair = PICTURE.replace("gpt-image-2, quality: low", "dall-e-3, quality: standard, n: 2")
    Path("a.flow.yaml").write_text(f"- {{{pair}, instruction: A boat}}\n", encoding="utf-8")
    day = ("--as-of", "2026-01-02")
    assert "--cache" not in run("plan", "a.flow.yaml", *day)[0]
    out, err = run("run", "a.flow.yaml", *day, "--cache", "run")
    assert "--cache" not in err
    assert "2 images in" in out
    with Journal(os.environ["FLOWDSL_STATE"]) as journal:
        assert [run.paid for run in journal.runs.all()] == [2]
    _, err = run("run", "a.flow.yaml", *day, "--cache", "project")
    assert "--cache project: 2 requests were not paid for again" in err


@pytest.mark.parametrize(
    "flow",
    [
        f"- {{{PICTURE}, instruction: A boat}}\n- {{{PICTURE}, instruction: A boat, background: opaque}}\n",
        f"- {{{PICTURE}, instruction: A boat}}\n- {{{PICTURE}, instruction: A kite}}\n",
    ],
    ids=["another option", "another prompt"],
)
def test_requests_that_differ_save_nothing(run: Run, flow: str) -> None:
    Path("a.flow.yaml").write_text(flow, encoding="utf-8")
    assert "--cache" not in run("plan", "a.flow.yaml")[0]
    assert "cache" not in json.loads(run("plan", "a.flow.yaml", "--json")[0])
    assert "--cache" not in run("run", "a.flow.yaml")[1]


@pytest.mark.long
def test_a_batch_says_what_its_records_did_not_buy_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    picture = '{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "{{ inputs.name }}"}'
    Path("a.flow.yaml").write_text(f"inputs: {{name: {{type: string}}}}\nflow: [{picture}]\n", encoding="utf-8")
    Path("a.csv").write_text("name\nAda\nBo\nAda\n", encoding="utf-8")
    told = ["batch", "a.flow.yaml", "--over", "a.csv", "--simulate", "--cache", "run", "--out"]
    assert main([*told, "one"]) == 0
    assert "--cache run: 1 request was not paid for again, $0.0059 less\n" in capsys.readouterr().err
    assert main([*told, "two", "--json"]) == 0
    saved = json.loads(capsys.readouterr().out)["not_paid_again"]
    assert (saved["requests"], round(saved["usd"], 4)) == (1, 0.0059)
