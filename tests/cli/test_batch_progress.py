"""How far a batch is: how many records have ended, how fast, how long it takes, what it has cost and what failed."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from flowdsl.cli import batch_progress, main
from flowdsl.cli.batch_progress import BatchProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(batch_progress, "monotonic", lambda: now[0])
    return now


def test_a_line_has_the_rate_the_time_left_the_cost_and_what_failed(clock: list[float]) -> None:
    stream = io.StringIO()
    progress = BatchProgress(stream, 8_000, before=1_000)
    for number in range(1, 1_001):
        clock[0] += 0.02 + 1e-9  # a little more, as the sum is not exact
        progress.take("failed" if number % 100 == 0 else "held" if number == 7 else "done", 0.006)
    first, second = stream.getvalue().splitlines()
    assert first == "  … 1,500 of 8,000  50.0/s  2:10 left  $3.00  5 failed  1 in doubt"
    assert second == "  … 2,000 of 8,000  50.0/s  2:00 left  $6.00  10 failed  1 in doubt"


def test_the_rate_is_that_of_the_last_half_minute(clock: list[float]) -> None:
    stream = io.StringIO()
    progress = BatchProgress(stream, None, before=0)
    for pause_s, number in ((0.01, 6_000), (1.0, 101)):
        for _ in range(number):
            clock[0] += pause_s
            progress.take("done", None)
    assert stream.getvalue().splitlines()[-1] == "  … 6,101  1.0/s  $0.00"


def test_a_terminal_has_one_line_that_moves_and_is_taken_away(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = BatchProgress(stream, 10, before=0)
    for _ in range(4):
        clock[0] += 0.25
        progress.take("done", 0.01)
    assert "\n" not in stream.getvalue()
    assert "4 of 10  4.0/s  0:02 left  $0.04" in stream.getvalue()
    progress.clear()
    assert not stream.getvalue().endswith("$0.04")


def test_who_wants_none_gets_none(clock: list[float]) -> None:
    progress = BatchProgress(None, 10, before=0)
    clock[0] += 60
    progress.take("done", 0.01)
    progress.clear()
    assert progress.usd == 0.01


TWO = """\
inputs: {name: {type: string}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, id: a, model: gpt-image-2, quality: low, instruction: "{{ inputs.name }}, a"}
  - {step: OPENAI_IMAGE_GENERATION, id: b, model: gpt-image-2, quality: low, instruction: "{{ inputs.name }}, b"}
"""


@pytest.mark.long
def test_a_batch_that_goes_on_shows_all_that_it_has_cost_and_all_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch_progress, "_SILENCE_S", 0.0)
    Path("two.flow.yaml").write_text(TWO, encoding="utf-8")
    Path("a.csv").write_text("name\nP0\nP1\nP2\nP3\n", encoding="utf-8")
    faults = ["--fault", "b=moderation,when=P0", "--fault", "b=truncated_json,when=P1", "--concurrency", "1"]
    assert main(["batch", "two.flow.yaml", "--simulate", "--over", "a.csv", *faults, "--max-requests", "5"]) == 4
    *_, before = progress_lines(capsys.readouterr().err)
    assert "1 failed" in before
    assert main(["resume", "--max-requests", "10"]) == 4
    shown = capsys.readouterr()
    first, *_, last = progress_lines(shown.err)
    assert "1 failed" in first
    assert sums(first)[0] > sums(before)[0]
    assert sums(last) == sums(shown.out.splitlines()[0]) != []


def progress_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if "/s  " in line]


def sums(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"\$([0-9.]+)", text)]


def test_one_record_is_no_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text("inputs: {name: {type: string}}\nflow:\n- step: SET\n  text: a\n")
    Path("who.csv").write_text("name\nAda\n")
    assert main(["batch", "a.flow.yaml", "--over", "who.csv", "--out", "o"]) == 0
    assert ": 1 record, results in o\n" in capsys.readouterr().err
