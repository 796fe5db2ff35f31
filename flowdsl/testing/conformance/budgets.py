"""What every budget keeps, and what every budget keeps that processes share: classes of tests to be subclassed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from flowdsl import Budget, ConfigError, LimitExceeded, Reservation


def reserve(budget: Budget, usd: float | None, service: str = "S") -> Reservation:
    """A sum set aside."""
    return asyncio.run(budget.reserve(usd, service))


def takes(budget: Budget, usd: float, service: str = "S") -> bool:
    """Whether a sum can still be set aside."""
    try:
        reserve(budget, usd, service)
    except LimitExceeded:
        return False
    return True


class BudgetConformance:
    """Subclass it, and say how a budget of some USD is opened."""

    def opened(self, folder: Path, usd: float) -> AbstractContextManager[Budget]:
        """A budget of a place; those of one folder are one, where it is shared."""
        raise NotImplementedError

    def test_what_is_set_aside_is_gone_until_it_is_known_what_it_cost(self, tmp_path: Path) -> None:
        with self.opened(tmp_path, 1.0) as budget:
            first = reserve(budget, 0.8)
            assert not takes(budget, 0.3)
            first.settle(0.5)
            assert not takes(budget, 0.6)
            assert takes(budget, 0.5)

    def test_as_many_as_a_sum_is_divided_into_fit_into_it(self, tmp_path: Path) -> None:
        with self.opened(tmp_path, 0.3) as budget:
            assert [takes(budget, 0.1) for _ in range(4)] == [True, True, True, False]

    def test_what_was_refused_can_be_spent(self, tmp_path: Path) -> None:
        with self.opened(tmp_path, 1.0) as budget:
            reserve(budget, 1.0).release()
            assert takes(budget, 1.0)

    def test_an_unknown_outcome_and_an_unknown_cost_stay_set_aside(self, tmp_path: Path) -> None:
        with self.opened(tmp_path, 1.0) as budget:
            reserve(budget, 0.5)
            reserve(budget, 0.4).settle(None)
            assert not takes(budget, 0.2)
            assert takes(budget, 0.1)

    def test_what_cost_more_than_was_set_aside_counts_whole(self, tmp_path: Path) -> None:
        with self.opened(tmp_path, 1.0) as budget:
            reserve(budget, 0.2).settle(0.9)
            assert not takes(budget, 0.2)

    def test_what_nobody_knows_the_price_of_is_not_bought(self, tmp_path: Path) -> None:
        with self.opened(tmp_path, 1.0) as budget:
            with pytest.raises(ConfigError) as caught:
                reserve(budget, None)
            assert caught.value.code == "unknown-price"
            assert takes(budget, 1.0)

    def test_who_asks_for_too_much_is_told_how_much_is_left_and_what_to_do(self, tmp_path: Path) -> None:
        with self.opened(tmp_path, 1.0) as budget:
            reserve(budget, 0.75)
            with pytest.raises(LimitExceeded, match=r"\$0\.2500 of (the )?\$1\.0000") as caught:
                reserve(budget, 0.5)
            assert caught.value.code == "budget-spent"
            assert "raise" in str(caught.value.hint)


class SharedBudgetConformance(BudgetConformance):
    """The same, and what holds for one that several processes share."""

    def spender(self, folder: Path, usd: float) -> str:
        """The text of a program that sets 0.4 USD aside in the budget of a folder, prints a line, and waits."""
        raise NotImplementedError

    def test_all_who_share_it_spend_one_sum(self, tmp_path: Path) -> None:
        came: list[bool] = []

        def spend(budget: Budget) -> None:
            for _ in range(16):
                try:
                    reserve(budget, 0.03).settle(0.02)
                except LimitExceeded:
                    came.append(False)
                else:
                    came.append(True)

        with ExitStack() as stack:
            budgets = [stack.enter_context(self.opened(tmp_path, 1.0)) for _ in range(2)]
            threads = [threading.Thread(target=spend, args=(budgets[number % 2],)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        # 49 × 0.02 are spent in the end, and 0.03 more would not fit; fewer where some are under way at the same time
        assert 40 <= came.count(True) <= 49
        assert len(came) == 128

    def test_what_a_killed_process_had_set_aside_stays_so(self, tmp_path: Path) -> None:
        program = [sys.executable, "-c", self.spender(tmp_path, 1.0)]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "taken\n"
            process.kill()
        with self.opened(tmp_path, 1.0) as budget:
            assert not takes(budget, 0.7)
            assert takes(budget, 0.6)
