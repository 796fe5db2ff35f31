"""`flowdsl.batch`: a flow over records that come one by one. One that fails stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.batches.dispatching import SideBySide
from flowdsl.document.dialects import message_of
from flowdsl.engine.budget import BothBudgets, RunBudget
from flowdsl.engine.state import new_run_id
from flowdsl.errors import ConfigError, RunError, UsageError
from flowdsl.journal.door import JournalDoor
from flowdsl.journal.errors import JournalError, RequestHeld, record_held
from flowdsl.journal.journal import Journal, resumed_door
from flowdsl.journal.unlisted import list_again

if TYPE_CHECKING:
    from flowdsl.batches.dispatching import Dispatcher
    from flowdsl.engine.effects import Began, Effects
    from flowdsl.engine.result import Result
    from flowdsl.environment.flow import Flow
    from flowdsl.events import Event
    from flowdsl.journal.database import Database
    from flowdsl.journal.sharing import Sharing
    from flowdsl.limits import Budget, Limits

CONCURRENCY = 8
"""So many records are worked on at once, unless somebody says otherwise."""
_SPENT = frozenset({"budget-spent", "too-many-requests"})
_FULL = "image-unwritable"
"""A folder takes no more pictures: somebody makes room before more are bought."""


class Outcome(NamedTuple):
    """What became of a record: `number` counts them from 0, `run` is the id of its run. `status` is `done`, `failed`,
    `held` (a request of it is in doubt, so it was left alone), `waiting` (it was broken off, and a vendor's batch goes
    on with a request of it) or `stopped` (the budget is spent, or the folder takes no more pictures: it was not worked
    on, or not to its end). `result` is there of one that is done, `error` of the others."""

    number: int
    status: str
    run: str
    result: Result | None
    error: RunError | None
    elapsed_s: float


class Stop:
    """Lets a batch end early: it takes no further records, and ends when those it works on have ended."""

    def __init__(self) -> None:
        self.is_asked = False

    def __call__(self) -> None:
        """Asks for it."""
        self.is_asked = True


class _RecordJournal:
    """The journal of one record's run: the batch holds the lock, and the budget."""

    wrote = False

    def __init__(
        self,
        whole: Journal,
        batch: str,
        record: int,
        budget: Budget | None,
        sharing: Sharing | None,
        *,
        is_known: bool,
    ) -> None:
        self.simulated = whole.simulated
        self.given: Mapping[str, Any] = MappingProxyType({})
        self.batch: str | None = batch
        self.record: int | None = record
        self.budget = budget
        self._whole = whole
        self._sharing = sharing
        self._is_known = is_known

    @property
    def database(self) -> Database:
        """The file."""
        return self._whole.database

    def door(self, began: Began, inner: Effects | None) -> JournalDoor:
        """The door of the run."""
        return resumed_door(self, began, inner) if self._is_known else JournalDoor(self, began, inner)

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


async def batch(
    flow: Flow,
    records: Iterable[Mapping[str, Any] | tuple[int, Mapping[str, Any]]],
    *,
    journal: Journal | None = None,
    batch_id: str | None = None,
    concurrency: int = CONCURRENCY,
    limits: Limits | None = None,
    max_requests: int | None = None,
    max_usd: float | None = None,
    effects: Effects | None = None,
    on_event: Callable[[Event], None] | None = None,
    tags: Mapping[str, str] | None = None,
    stop: Stop | None = None,
    dispatcher: Dispatcher | None = None,
) -> AsyncGenerator[Outcome, None]:
    """Runs a flow over records, each the inputs of a run, or the message of a document that works on messages; gives
    their outcomes as they end.

    Records are taken when there is room for them, so they may be more than memory holds; a pair is the number of a
    record and the record. With a `journal`, `batch_id` names the batch: given again, records that were begun go on
    where they were, and nothing is bought twice; `max_requests` and `max_usd`, which need a journal, are for all
    records together, with what was spent before, `limits` for each. Whoever closes the iterator, or cancels it,
    cancels the runs that go on. A `dispatcher` works on the records in place of this loop, `concurrency` at a time.

    Raises:
        UsageError: an argument that cannot be, or a batch of this id goes on elsewhere.
        JournalError: the journal cannot be written. Runs that go on are ended.
    """
    if concurrency < 1:
        raise UsageError(f"concurrency takes a number from 1 on, not {concurrency}")
    if journal is None and (max_requests is not None or max_usd is not None):
        raise UsageError("max_requests and max_usd of a batch need a journal; `limits` are for each record")
    if journal is not None and not isinstance(journal, Journal):
        raise UsageError(
            f"a batch takes a flowdsl.Journal, and not {type(journal).__name__}: it asks for its records too"
        )
    id, most = batch_id or new_run_id(), (max_requests, max_usd)
    is_taken = journal is None or journal.is_holding(id)
    if journal is not None and not is_taken:
        journal.take(id)
    try:  # from here on nobody else buys for this batch: what it has bought is read now
        if journal is not None:
            await asyncio.to_thread(list_again, journal.database, id)  # it reads files, and may wait for the journal
        work = _Work(flow, records, journal, id, limits, most, effects, on_event, tags, stop or Stop())
        by = dispatcher or SideBySide(concurrency)
        coming = by.dispatch(work.records, work.outcome, lambda: work.stop.is_asked)
        async with _connected(flow), aclosing(coming) as outcomes:
            async for outcome in outcomes:
                yield outcome
    finally:
        if journal is not None:
            if journal.database.exists:
                journal.database.owed.again()
                with suppress(JournalError):  # how its runs ended is written when this is
                    await journal.database.write(lambda _: None, durable=False)
            if not is_taken:
                journal.let_go(id)


@asynccontextmanager
async def _connected(flow: Flow) -> AsyncGenerator[None, None]:
    """Runs share the connections to services, and their limits; those that are open in this loop, if some are."""
    environment: Any = flow.environment
    if environment.resources_of(asyncio.get_running_loop()) is not None:
        yield
        return
    async with environment:
        yield


class _Work:
    def __init__(
        self,
        flow: Flow,
        records: Iterable[Mapping[str, Any] | tuple[int, Mapping[str, Any]]],
        journal: Journal | None,
        id: str,
        limits: Limits | None,
        most: tuple[int | None, float | None],
        effects: Effects | None,
        on_event: Callable[[Event], None] | None,
        tags: Mapping[str, str] | None,
        stop: Stop,
    ) -> None:
        self.id = id
        self._flow = flow
        self.records = _numbered(records)
        self._journal = journal
        self._limits = limits
        self._effects = effects
        self._on_event = on_event
        self._tags = tags
        self.stop = stop
        self._begun: set[int] = set()
        self._held: set[int] = set()
        self._budget: Budget | None = None
        self._sharing: Sharing | None = None
        self._message = message_of(flow.document.source)
        if journal is not None:
            self._begun, self._held = journal.batches.begun(id), journal.batches.blocked(id)
            self._sharing = journal.shared(batch=id)
            requests, usd = journal.batches.counted(id)
            own = RunBudget(*most, requests, usd)
            self._budget = own if journal.budget is None else BothBudgets(own, journal.budget)

    async def _waits(self, run: str, error: RunError) -> bool:
        """Whether a vendor goes on with a request of a run: in its batch, or with an order that it has taken."""
        may = self._effects is not None or error.charge_possible
        return may and self._journal is not None and await self._journal.batches.waits(run)

    async def outcome(self, taken: tuple[int, Mapping[str, Any]]) -> Outcome:
        """What becomes of a record."""
        number, inputs = taken
        run, began = f"{self.id}.{number}", perf_counter()
        if number in self._held:
            error = record_held(self.id)
            return Outcome(number, "held", run, None, error, 0.0)
        kept = self._journal and _RecordJournal(
            self._journal, self.id, number, self._budget, self._sharing, is_known=number in self._begun
        )
        try:
            result = await self._flow.arun(
                inputs if self._message is None else {self._message: inputs},
                on_event=self._on_event,
                effects=self._effects,
                journal=kept,
                limits=self._limits,
                run_id=run,
                tags=self._tags,
            )
        except JournalError:
            raise
        except RunError as error:
            status = "failed"
            if error.code in _SPENT:
                self.stop()
                status = "stopped"
            elif isinstance(error, RequestHeld):
                status = "held"
            elif await self._waits(run, error):
                status = "waiting"
            elif error.code == _FULL:
                self.stop()
                status = "stopped"
            elif error.charge_possible and self._journal is not None and await self._journal.batches.is_in_doubt(run):
                status = "held"  # of one that failed, its like would be bought again
            return Outcome(number, status, run, None, error, perf_counter() - began)
        except UsageError as error:  # of inputs that cannot be
            return Outcome(number, "failed", run, None, ConfigError(str(error)), perf_counter() - began)
        return Outcome(number, "done", run, result, None, perf_counter() - began)


def _numbered(
    records: Iterable[Mapping[str, Any] | tuple[int, Mapping[str, Any]]],
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for index, record in enumerate(records):
        yield record if isinstance(record, tuple) else (index, record)
