"""`flowdsl runs show BATCH`: how its records stand, why those that failed did, and how these are run again."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl.cli.journaled import state_of
from flowdsl.journal.journal import Journal

CARD = """\
inputs: {name: {type: string}, code: {type: string, default: none}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, id: card, model: gpt-image-2, instruction: "{{ inputs.name }}", quality: low}
"""
NAMES = [f"P{number}" for number in range(14)]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(CARD, encoding="utf-8")

    def called(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return called


def batch(run: Run, *more: str) -> int:
    told = ("batch", "card.flow.yaml", "--over", "a.csv", "--simulate", "-q", "--out", "cards", "--concurrency", "1")
    return run(*told, *more)[0]


def shown(run: Run) -> tuple[str, dict[str, Any]]:
    with Journal(state_of("card.flow.yaml")) as journal:
        id = journal.batches.all()[0].id
    return run("runs", "show", id)[1], json.loads(run("runs", "show", id, "--json")[1])


@pytest.mark.long
def test_a_batch_that_is_shown_says_how_its_records_stand(run: Run) -> None:
    Path("a.csv").write_text("name\nAda\nBo\nCy\nDi\n\n", encoding="utf-8")
    faults = ("--fault", "card=moderation,when=Ada", "--fault", "card=truncated_json,when=Bo")
    assert batch(run, *faults, "--max-requests", "2") == 4
    text, facts = shown(run)
    assert "  1 record done, 1 failed, 1 in doubt, 1 waiting\n" in text
    assert facts["records"] == {"done": 1, "failed": 1, "in_doubt": 1, "waiting": 1}
    assert "  failed: record 0 (line 2): moderation of OPENAI_IMAGE_GENERATION refused the prompt" in text
    assert facts["failures"][0]["code"] == "content-refused"
    assert facts["cost_usd"] > 0.005
    Path("a.csv").unlink()
    text, facts = shown(run)
    assert (facts["records"]["waiting"], "how many wait is not known" in text) == (None, True)
    rmtree("cards")
    text, facts = shown(run)
    assert (facts["records"], "which is gone" in text) == (None, True)


@pytest.mark.long
def test_the_command_that_is_shown_runs_the_records_that_failed_again(run: Run) -> None:
    Path("a.csv").write_text("full name\n" + "".join(f"{name}\n" for name in NAMES), encoding="utf-8")
    assert batch(run, "--map", "name=full name", "-i", "code=***", "--fault", "card=moderation:14") == 4
    text, facts = shown(run)
    assert "  0 records done, 14 failed\n" in text
    assert (text.count("  failed: record "), len(facts["failures"])) == (10, 10)
    assert "  failed: 4 more, in cards/failed.jsonl\n" in text
    assert "` runs those that failed again, with the values in place of ***\n" in text
    command = shlex.split(text.split("`")[1])
    assert command == shlex.split(facts["run_failed_again"])
    assert command[-2:] == ["--over", "cards/failed.jsonl"]
    assert run(*command[1:], "--limit", "1")[0] == 0


@pytest.mark.long
def test_the_command_that_is_shown_does_with_what_failed_what_the_batch_did_with_all(run: Run) -> None:
    """Where its pictures go, which fields and inputs it takes, tags, limits: all but what is of one batch alone."""
    Path("a.csv").write_text("full name\nAda\nBo\n", encoding="utf-8")
    text = "two\nlines, 'quoted', \\ and \x1b[1m"
    told = ("--map=name=full name", "-i", f"code={text}", "--tag", "for=a b", "--max-usd", "9", "--cache", "run")
    told = (*told, "--metadata", "full", "--log-json", "log.jsonl", "--timeout", "99", "--as-of", "2026-11-01")
    assert batch(run, *told, "--fault", "card=moderation,when=Ada") == 4
    shown_command = shown(run)[1]["run_failed_again"]
    assert shown_command.isprintable()
    words = subprocess.run(
        ["bash", "-c", f"flowdsl() {{ printf '%s\\0' \"$@\"; }}; {shown_command}"], capture_output=True, check=True
    ).stdout.decode()
    command = words.removesuffix("\0").split("\0")
    assert command[command.index("-i") + 1] == f"code={text}"
    given = [each for each in told if each not in ("-i", f"code={text}")]
    assert [each for each in command if each in given] == given
    assert command[-4:] == ["--out", "cards-again", "--over", "cards/failed.jsonl"]
    assert "--concurrency" in command
    assert run(*command)[0] == 0
    [made] = json.loads(Path("cards-again/manifest.json").read_text())["images"]
    assert (made["prompt"], made["tags"]) == ("Ada", {"for": "a b"})
    assert shown(run)[1]["run_failed_again"] is None


@pytest.mark.long
@pytest.mark.parametrize("there", [[], ["cards-again"], ["cards-again", "cards-again-2"]])
def test_the_command_that_is_shown_names_a_folder_that_is_not_there_yet(run: Run, there: list[str]) -> None:
    Path("a.csv").write_text("name\nAda\n", encoding="utf-8")
    for each in there:
        Path(each).mkdir()
    assert batch(run, "--fault", "card=moderation") == 4
    expected = ["cards-again", "cards-again-2", "cards-again-3"][len(there)]
    assert f" --out {expected} --over cards/failed.jsonl" in shown(run)[1]["run_failed_again"]


def test_a_command_for_elsewhere_names_the_folder_in_which_the_batch_began(run: Run) -> None:
    Path("a.csv").write_text("name\nAda\n", encoding="utf-8")
    assert batch(run, "--fault", "card=moderation") == 4
    began = Path.cwd()
    with chdir("cards"):
        _, facts = shown(run)
    assert facts["run_failed_again"].startswith(f"cd {began} && flowdsl batch card.flow.yaml --simulate ")
    assert facts["run_failed_again"].endswith(f"--over {began / 'cards' / 'failed.jsonl'}")


def test_a_record_that_failed_names_the_command_that_says_how_it_is_run_again(run: Run) -> None:
    Path("a.csv").write_text("name\nAda\n", encoding="utf-8")
    assert batch(run, "--fault", "card=moderation") == 4
    said = run("runs", "show", "last.0")[1].splitlines()[-1]
    assert said.endswith("says how the records that failed are run again")
    assert "`flowdsl batch" in run(*said.split("`")[1].removeprefix("flowdsl ").split())[1]
