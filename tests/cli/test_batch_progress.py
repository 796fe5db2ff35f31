"""How far a batch is: how many records have ended, how fast, how long it takes, what it has cost and what failed."""

from __future__ import annotations

import io

import pytest

from flowdsl.cli import batch_progress
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
