"""What keeps the records of a batch, in whatever journal: each of them is a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

from flowdsl.engine.budget import BothBudgets, RunBudget
from flowdsl.engine.effects import Asking, Journal
from flowdsl.errors import UsageError
from flowdsl.journal.journal import Journal as OwnJournal
from flowdsl.journal.records import kept_records

if TYPE_CHECKING:
    from flowdsl.engine.effects import Began, Effects, Journaling

Most = tuple[int | None, float | None]
"""How many paid requests are for all records together, and how many USD."""


class Records(Journal, Protocol):
    """The journal of the runs of one batch, from its beginning to its end."""

    def is_held(self, record: int) -> bool:
        """Whether a record is known to have a request in doubt, before its run begins."""
        ...

    async def waits(self, run: str) -> bool:
        """Whether a vendor goes on with a request of a run that has ended."""
        ...

    async def is_in_doubt(self, run: str) -> bool:
        """Whether a request of a run that has failed, of which one may be billed, is in doubt."""
        ...


class _RunsOfHost:
    """The records in a journal that knows runs alone: what is bought, and what is in doubt, the door of each says when
    the record begins; what all of them may spend is counted here."""

    def __init__(self, journal: Journal, most: Most) -> None:
        self._journal = journal
        self._budget = RunBudget(*most)

    def door(self, began: Began, inner: Effects | None) -> Journaling:
        door = self._journal.door(began, inner)
        requests, usd = door.spent()
        self._budget.requests += requests
        self._budget.usd += usd
        return cast("Journaling", _WithBudget(door, self._budget))

    def is_held(self, record: int) -> bool:
        return False

    async def waits(self, run: str) -> bool:
        return False

    async def is_in_doubt(self, run: str) -> bool:
        return True


class _WithBudget:
    """A door whose run shares one budget more."""

    def __init__(self, door: Journaling, budget: RunBudget) -> None:
        self._door = door
        self.budget = budget if door.budget is None else BothBudgets(budget, door.budget)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._door, name)


@asynccontextmanager
async def records_of(
    journal: Journal | None, id: str, most: Most, effects: Effects | None
) -> AsyncGenerator[Records | None, None]:
    """The records of a batch in a journal; None without one.

    Raises:
        UsageError: that journal cannot do what is asked for.
        JournalError: the batch goes on elsewhere, or the journal cannot be read.
    """
    if journal is None:
        if most != (None, None):
            raise UsageError("max_requests and max_usd of a batch need a journal; `limits` are for each record")
        yield None
    elif isinstance(journal, OwnJournal):
        async with kept_records(journal, id, most) as records:
            yield records
    elif isinstance(effects, Asking):
        raise UsageError(
            f"{type(effects).__name__} goes on with requests that were sent before, as a vendor's batch does: in a "
            f"batch that needs a flowdsl.Journal, and not {type(journal).__name__}"
        )
    else:
        yield _RunsOfHost(journal, most)
