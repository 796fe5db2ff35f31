"""What flowdsl.toml says of money: for a run, for a day, for a service, and above which sum somebody is asked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl_steps.image.simulator import Simulator

pytestmark = pytest.mark.usefixtures("noon")  # what may be spent in a day is counted
BOAT = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: a boat, size: 1024x1024, quality: low}\n"


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    monkeypatch.chdir(tmp_path)
    Path("boat.flow.yaml").write_text(BOAT)
    Path("two.flow.yaml").write_text(BOAT * 2)
    Path("who.csv").write_text("name\nAda\nBo\nCy\n")
    Path("who.flow.yaml").write_text(f"inputs: {{name: {{type: string}}}}\nflow:\n  {BOAT}")
    with Simulator(plain=True) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", running.key)
        yield running  # type: ignore[misc]  # a fixture


def settings(text: str) -> None:
    Path("flowdsl.toml").write_text(text)


def test_a_run_spends_no_more_than_the_file_says_and_the_remedy_works(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("max_usd = 0.007\n")
    assert main(["run", "two.flow.yaml", "--quiet"]) == 4
    assert simulator.request_count == 1
    assert "raise the limit: `--max-usd X`" in capsys.readouterr().err
    assert main(["run", "two.flow.yaml", "--quiet", "--max-usd", "1"]) == 0


def test_a_batch_spends_no_more_than_the_file_says(simulator: Simulator) -> None:
    settings("max_usd = 0.013\n")
    assert main(["batch", "who.flow.yaml", "--over", "who.csv", "--quiet", "--concurrency", "1"]) == 4
    assert simulator.request_count == 2


@pytest.mark.parametrize(
    ("text", "said", "later", "more"),
    [
        ("max_usd = 0.013\n", "--max-usd X` goes on", "max_usd = 0.013\n", ("--max-usd", "1")),
        (
            "max_usd_per_day = 0.013\n",
            "or raise `max_usd_per_day` in flowdsl.toml; then `",
            "max_usd_per_day = 1\n",
            (),
        ),
    ],
    ids=["the batch's money", "the day's money"],
)
def test_a_batch_that_has_spent_what_it_may_says_which_limit_it_was_and_the_remedy_works(
    text: str, said: str, later: str, more: tuple[str, ...], simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(text)
    assert main(["batch", "who.flow.yaml", "--over", "who.csv", "--quiet", "--concurrency", "1"]) == 4
    assert said in capsys.readouterr().err
    settings(later)
    assert main(["resume", "--quiet", *more]) == 0
    assert simulator.request_count == 3


def test_a_batch_whose_requests_are_sent_says_that_and_the_remedy_works(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = ["batch", "who.flow.yaml", "--over", "who.csv", "--quiet", "--concurrency", "1", "--max-requests", "2"]
    assert main(batch) == 4
    assert "--max-requests N` goes on" in capsys.readouterr().err
    assert main(["resume", "--quiet", "--max-requests", "9"]) == 0
    assert simulator.request_count == 3


def test_a_service_spends_no_more_in_a_day_than_the_file_says(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("max_usd_per_day = 10\n[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATION = 0.007\nOTHER = 0.0\n")
    assert main(["run", "boat.flow.yaml", "--quiet"]) == 0
    assert main(["run", "boat.flow.yaml", "--quiet"]) == 4
    assert simulator.request_count == 1
    said = capsys.readouterr().err
    assert "$0.0011 of the $0.0070 a day of OPENAI_IMAGE_GENERATION are left" in said
    assert "raise `OPENAI_IMAGE_GENERATION` below `[max_usd_per_day_by_service]` in flowdsl.toml" in said


def test_a_service_that_is_not_there_is_told_where_its_name_is_misspelt(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATOIN = 0.001\nELSEWHERE = 1.0\n")
    assert main(["run", "boat.flow.yaml"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert said == [
        "flowdsl: warning: `OPENAI_IMAGE_GENERATOIN` below `[max_usd_per_day_by_service]` in flowdsl.toml limits "
        "nothing: there is no such service; did you mean `OPENAI_IMAGE_GENERATION`?"
    ]
    settings("[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATION = 0.001\n")
    assert main(["run", "boat.flow.yaml"]) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_usd = -1\n", "flowdsl.toml:1:11: error: max_usd must be a sum in USD"),
        ("ask_above_usd = '5'\n", "flowdsl.toml:1:17: error: ask_above_usd must be a sum in USD"),
        ("max_usd_per_day_by_service = 5\n", "flowdsl.toml:1:30: error: max_usd_per_day_by_service must be a table"),
        (
            "[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATION = true\n",
            "flowdsl.toml:2:27: error: max_usd_per_day_by_service.OPENAI_IMAGE_GENERATION must be a sum in USD",
        ),
        ("max_usd_a_day = 5\n", "did you mean `max_usd_per_day`?"),
    ],
)
def test_what_cannot_be_is_shown_at_its_place(
    text: str, said: str, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(text)
    assert main(["run", "boat.flow.yaml"]) == 2
    assert said in capsys.readouterr().err
    assert simulator.request_count == 0


def test_what_can_cost_more_than_somebody_wants_to_be_asked_for_needs_a_yes(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("ask_above_usd = 0.01\n")
    assert main(["run", "boat.flow.yaml", "--quiet"]) == 0
    assert main(["run", "two.flow.yaml", "--quiet"]) == 2
    assert "this run can cost up to $0.0121, and `ask_above_usd` in flowdsl.toml is $0.0100" in capsys.readouterr().err
    assert main(["batch", "who.flow.yaml", "--over", "who.csv", "--quiet"]) == 2
    assert "this batch of 3 records can cost up to $0.0182" in capsys.readouterr().err
    assert simulator.request_count == 1
    assert main(["run", "two.flow.yaml", "--quiet", "--yes"]) == 0
    assert main(["run", "two.flow.yaml", "--quiet", "--max-usd", "0.01"]) == 4  # never above it, so nobody is asked
    assert main(["run", "two.flow.yaml", "--quiet", "--simulate"]) == 0
    assert main(["batch", "who.flow.yaml", "--over", "who.csv", "--quiet", "--limit", "1"]) == 0
    assert simulator.request_count == 5


@pytest.mark.parametrize(
    ("name", "text"),
    [("who.csv", "n\n1\n4\n"), ("who.jsonl", '{}\n{"n": 4}\n')],
    ids=["a table", "lines"],
)
def test_what_records_say_themselves_counts_as_the_dearest(
    name: str, text: str, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("ask_above_usd = 0.04\n")
    Path(name).write_text(text)
    step = BOAT.replace("quality: low", "quality: low, n: '{{ inputs.n }}'")
    Path("n.flow.yaml").write_text(f"inputs: {{n: {{type: integer, default: 1, maximum: 4}}}}\nflow:\n  {step}")
    assert main(["batch", "n.flow.yaml", "--over", name, "--quiet"]) == 2
    assert "this batch of 2 records can cost up to $0.1212" in capsys.readouterr().err
    assert simulator.request_count == 0


def test_what_nobody_knows_the_price_of_needs_a_yes_too(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("ask_above_usd = 100\n")
    Path("boat.flow.yaml").write_text(BOAT.replace("gpt-image-2", "gpt-image-9"))
    assert main(["run", "boat.flow.yaml", "--quiet"]) == 2
    assert "nobody knows what this run can cost" in capsys.readouterr().err
    assert simulator.request_count == 0


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
@pytest.mark.parametrize(("typed", "count"), [("y\n", 2), ("\n", 0), ("no\n", 0), ("\x04", 0)])
def test_a_terminal_is_asked_and_only_yes_is_a_yes(
    typed: str, count: int, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pty

    settings("ask_above_usd = 0.01\n")
    leader, follower = pty.openpty()
    os.write(leader, typed.encode())
    with (
        open(follower, encoding="utf-8", closefd=False) as stdin,
        open(follower, "w", encoding="utf-8", closefd=False) as stderr,
    ):
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stderr", stderr)
        assert main(["run", "two.flow.yaml", "--quiet"]) == 0
    shown = ""
    while "go on? [y/N]" not in shown:
        shown += os.read(leader, 65536).decode()
    os.close(leader)
    os.close(follower)
    assert simulator.request_count == count


@pytest.mark.parametrize(
    "text",
    ["max_usd_per_day = 5.0\n", "[max_usd_per_day_by_service]\nOPENAI_IMAGE_GENERATION = 5.0\n"],
    ids=["of all", "of a service"],
)
def test_without_a_journal_nothing_is_spent_that_a_day_limits(
    text: str, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(text)
    assert main(["run", "boat.flow.yaml", "--quiet", "--no-journal"]) == 2
    assert "in flowdsl.toml limits what is spent in a day, which is counted in the journal" in capsys.readouterr().err
    assert simulator.request_count == 0
    assert main(["run", "boat.flow.yaml", "--quiet", "--no-journal", "--simulate"]) == 0
    settings("[max_usd_per_day_by_service]\nELSEWHERE = 5.0\n")
    assert main(["run", "boat.flow.yaml", "--quiet", "--no-journal"]) == 0


def test_a_run_from_a_step_asks_about_what_it_buys(simulator: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    fields = "model: gpt-image-2, size: 1024x1024, quality: low"
    steps = [
        f"- {{step: OPENAI_IMAGE_GENERATION, id: {id}, {fields}, instruction: a {id}}}\n" for id in ("bow", "mast")
    ]
    Path("boat.flow.yaml").write_text("".join(steps))
    assert main(["run", "boat.flow.yaml", "--quiet"]) == 0
    settings("ask_above_usd = 0.007\n")
    again = ["run", "boat.flow.yaml", "--quiet", "--from", "mast"]
    assert main(again) == 0
    assert simulator.request_count == 3
    Path("boat.flow.yaml").write_text("".join(steps).replace("a bow", "a stern"))
    assert main(again) == 2
    assert "this run can cost up to $0.0121" in capsys.readouterr().err
    assert simulator.request_count == 3
    Path("boat.flow.yaml").write_text("".join(steps))
    assert main(["runs", "gc", "--older-than", "0"]) == 0
    assert main(again) == 2  # what it bought is not there any more
