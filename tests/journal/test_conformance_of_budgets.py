"""The budget of a run and that of a day are budgets, and the latter is shared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from flowdsl import Budget
from flowdsl.engine.budget import BothBudgets, RunBudget
from flowdsl.journal.database import Database
from flowdsl.journal.day_budget import DayBudget, Most
from flowdsl.testing.conformance import BudgetConformance, SharedBudgetConformance
from flowdsl.testing.conformance.budgets import reserve, takes

SPENDER = """
import asyncio, pathlib, time
from flowdsl.journal.database import Database
from flowdsl.journal.day_budget import DayBudget, Most

limits = {limits}
budget = DayBudget(Database(pathlib.Path({folder!r})), **limits, clock=lambda: 86_400)
asyncio.run(budget.reserve(0.4, "S"))
print("taken", flush=True)
time.sleep(600)
"""


class TestBudgetOfARun(BudgetConformance):
    def opened(self, folder: Path, usd: float) -> Any:
        return nullcontext(RunBudget(max_usd=usd))


class TestBudgetOfADay(SharedBudgetConformance):
    limits = "{{'whole': Most({usd}, 'flowdsl.toml')}}"

    @contextmanager
    def opened(self, folder: Path, usd: float) -> Iterator[Budget]:
        limits = eval(self.limits.format(usd=usd), {"Most": Most})
        with Database(folder / "state") as database:
            yield DayBudget(database, **limits, clock=lambda: 86_400)

    def spender(self, folder: Path, usd: float) -> str:
        return SPENDER.format(folder=str(folder / "state"), limits=self.limits.format(usd=usd))


class TestBudgetOfADayAtOneService(TestBudgetOfADay):
    limits = "{{'whole': None, 'services': {{'S': Most({usd}, 'flowdsl.toml')}}}}"

    def test_another_service_spends_nothing_of_it(self, tmp_path: Path) -> None:
        with self.opened(tmp_path, 1.0) as budget:
            assert takes(budget, 5.0, "T")
            assert takes(budget, 1.0, "S")
            reserve(budget, None, "T")


class TestBothBudgets(BudgetConformance):
    @contextmanager
    def opened(self, folder: Path, usd: float) -> Iterator[Budget]:
        with Database(folder / "state") as database:
            of_day = DayBudget(database, Most(usd, "flowdsl.toml"), clock=lambda: 86_400)
            yield BothBudgets(RunBudget(max_usd=usd * 10), of_day)
