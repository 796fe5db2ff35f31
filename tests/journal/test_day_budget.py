"""What all runs of a project may spend in a day."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.errors import ConfigError, LimitExceeded
from flowdsl.journal.allowance import OwnBudget
from flowdsl.journal.database import Database
from flowdsl.journal.day_budget import DayBudget, Most
from flowdsl.limits import Budget
from flowdsl.testing.conformance.budgets import reserve
from flowdsl_steps.image.simulator import Simulator

pytestmark = pytest.mark.usefixtures("noon")  # what may be spent in a day is counted
DAY_S = 86_400
BOAT = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: a boat, size: 1024x1024, quality: low}\n"


def test_budgets_of_one_file_are_one_budget_however_many_reserve_at_once(tmp_path: Path) -> None:
    came: list[bool] = []

    def spend() -> None:
        with Database(tmp_path) as database:
            budget = DayBudget(database, Most(1.0, "flowdsl.toml"), clock=lambda: DAY_S)
            for _ in range(32):
                try:
                    reserve(budget, 0.03).settle(0.02)
                    came.append(True)
                except LimitExceeded:
                    came.append(False)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert came.count(True) == 49  # 49 × 0.02 are spent, and 0.03 more would not fit


def test_what_is_released_can_be_spent_and_another_day_begins_anew(tmp_path: Path) -> None:
    now = [DAY_S]
    with Database(tmp_path) as database:
        budget = DayBudget(database, Most(1.0, "flowdsl.toml"), clock=lambda: now[0])
        reserve(budget, 0.9).release()
        reserve(budget, 0.9)
        with pytest.raises(LimitExceeded, match=r"\$0.1000 of the \$1.0000 a day are left"):
            reserve(budget, 0.2)
        with pytest.raises(ConfigError, match="what this picture costs is not known"):
            reserve(budget, None)
        now[0] += DAY_S
        reserve(budget, 0.9)


@pytest.mark.parametrize("of", ["all runs", "a service", "a token"])
def test_what_was_not_spent_of_what_was_set_aside_is_given_back_where_the_file_did_not_take_that_at_first(
    tmp_path: Path, of: str
) -> None:
    table = "spending" if of == "all runs" else "spending_of"
    refuses = f"""CREATE TRIGGER refuses BEFORE INSERT ON {table} WHEN NEW.usd < 0.9
        BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"""
    most, service = Most(1.0, "flowdsl.toml"), "images" if of == "a service" else None
    with Database(tmp_path) as database:
        budget: Budget = DayBudget(database, None if service else most, {"images": most}, clock=lambda: DAY_S)
        budget = OwnBudget(database, "me", 1.0, None, "raise it", clock=lambda: DAY_S) if of == "a token" else budget
        first = asyncio.run(budget.reserve(0.9, service))
        database.submit(lambda db: db.execute(refuses) and None).result()
        first.settle(0.1)
        with pytest.raises(LimitExceeded):
            asyncio.run(budget.reserve(0.9, service))
        database.submit(lambda db: db.execute("DROP TRIGGER refuses") and None).result()
        asyncio.run(budget.reserve(0.9, service)).release()
        with pytest.raises(LimitExceeded, match=r"\$0.9000 of the \$1.0000 a day"):
            asyncio.run(budget.reserve(0.91, service))


def test_the_line_of_a_project_counts_for_all_runs_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("boat.flow.yaml").write_text(BOAT)
    Path("flowdsl.toml").write_text("max_usd_per_day = 0.013\n")
    with Simulator(plain=True) as simulator:
        monkeypatch.setenv("OPENAI_BASE_URL", simulator.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", simulator.key)
        assert main(["run", "boat.flow.yaml", "--quiet"]) == 0
        assert main(["run", "boat.flow.yaml", "--quiet"]) == 0
        assert main(["run", "boat.flow.yaml", "--quiet"]) == 4
        assert simulator.request_count == 2
    said = capsys.readouterr().err
    assert "[budget-spent]" in said
    assert "raise `max_usd_per_day` in flowdsl.toml" in said


@pytest.mark.parametrize("value", ["-1", "true", '"5"', "inf"])
def test_a_sum_that_is_none_is_refused(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("boat.flow.yaml").write_text(BOAT)
    Path("flowdsl.toml").write_text(f"max_usd_per_day = {value}\n")
    assert main(["run", "boat.flow.yaml", "--simulate"]) == 2
    assert "max_usd_per_day must be a sum in USD, such as 5.00" in capsys.readouterr().err
