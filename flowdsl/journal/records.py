"""The records of a batch in a journal, each of which is a run of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flowdsl.engine.budget import BothBudgets, RunBudget
from flowdsl.journal.door import JournalDoor
from flowdsl.journal.errors import JournalError
from flowdsl.journal.journal import Journal, resumed_door
from flowdsl.journal.unlisted import list_again

if TYPE_CHECKING:
    from flowdsl.engine.effects import Began, Effects
    from flowdsl.journal.database import Database
    from flowdsl.journal.sharing import Sharing
    from flowdsl.limits import Budget


class KeptRecords:
    """The journal of the runs of one batch: it holds the lock, and the budget."""

    wrote = False

    def __init__(self, whole: Journal, id: str, most: tuple[int | None, float | None]) -> None:
        self.simulated = whole.simulated
        self.given: Mapping[str, Any] = MappingProxyType({})
        own = RunBudget(*most, *whole.batches.counted(id))
        self.budget: Budget | None = own if whole.budget is None else BothBudgets(own, whole.budget)
        self._whole = whole
        self._begun, self._held = whole.batches.begun(id), whole.batches.blocked(id)
        self._sharing = whole.shared(batch=id)

    @property
    def database(self) -> Database:
        """The file."""
        return self._whole.database

    def door(self, began: Began, inner: Effects | None) -> JournalDoor:
        """The door of the run of a record."""
        return resumed_door(self, began, inner) if began.record in self._begun else JournalDoor(self, began, inner)

    def is_held(self, record: int) -> bool:
        """Whether a record is left alone until somebody decides."""
        return record in self._held

    async def waits(self, run: str) -> bool:
        """Whether a vendor goes on with a request of a run that has ended."""
        return await self._whole.batches.waits(run)

    async def is_in_doubt(self, run: str) -> bool:
        """Whether a run that has ended has a request of which nobody knows what became of it."""
        return await self._whole.batches.is_in_doubt(run)

    def sharing(self, run: str) -> Sharing | None:
        """What equal requests of the batch share."""
        return self._sharing

    def spare(self, usd: float) -> None:
        """A request was not paid for, as an equal one had been."""
        self._whole.spare(usd)

    def take(self, run: str) -> None:
        """The batch has the lock."""

    def let_go(self, run: str) -> None:
        """The batch has the lock."""


@asynccontextmanager
async def kept_records(
    journal: Journal, id: str, most: tuple[int | None, float | None]
) -> AsyncGenerator[KeptRecords, None]:
    """The records of a batch, for which nobody else buys meanwhile. `most` is how many requests, and USD, are for all
    of them.

    Raises:
        JournalError: the batch goes on elsewhere, or the journal cannot be read.
    """
    is_taken = journal.is_holding(id)
    if not is_taken:
        journal.take(id)
    try:  # from here on nobody else buys for this batch: what it has bought is read now
        await asyncio.to_thread(list_again, journal.database, id)  # it reads files, and may wait for the journal
        yield KeptRecords(journal, id, most)
    finally:
        if journal.database.exists:
            journal.database.owed.again()
            with suppress(JournalError):  # how its runs ended is written when this is
                await journal.database.write(lambda _: None, durable=False)
        if not is_taken:
            journal.let_go(id)
