"""`flowdsl.batch`: a flow over records that come one by one. One that fails stops no other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.batches.dispatching import MOST_AT_ONCE, ROOM, SideBySide
from flowdsl.batches.records import records_of
from flowdsl.document.dialects import message_of
from flowdsl.engine.effects import ALL_CAME
from flowdsl.engine.state import new_run_id
from flowdsl.errors import ConfigError, RunError, UsageError
from flowdsl.host import expect, expect_doors
from flowdsl.journal.errors import JournalError, RequestHeld, record_held
from flowdsl.limits import expect_limits

if TYPE_CHECKING:
    from flowdsl.batches.dispatching import Dispatcher
    from flowdsl.batches.records import Records
    from flowdsl.engine.effects import Began, Effects, Journal, Journaling
    from flowdsl.engine.result import Result
    from flowdsl.environment.flow import Flow
    from flowdsl.events import Event
    from flowdsl.limits import Limits

CONCURRENCY = 8
"""So many records are worked on at once, unless somebody says otherwise."""
_SPENT = frozenset({"budget-spent", "too-many-requests"})
_FULL = "image-unwritable"
"""A folder takes no more pictures: somebody makes room before more are bought."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


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


class _OfRecord(NamedTuple):
    """The journal of one record's run."""

    records: Records
    batch: str
    record: int

    @property
    def simulated(self) -> bool:
        """Whether nothing is paid for really, where the journal says so."""
        return getattr(self.records, "simulated", False) is True

    def door(self, began: Began, inner: Effects | None) -> Journaling:
        """The door of the run."""
        return self.records.door(began._replace(batch=self.batch, record=self.record), inner)


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
    records together, with what was spent before (in a journal of the host's own as far as its records have begun
    again), `limits` for each. Whoever closes the iterator, or cancels it, cancels the runs that go on. A `dispatcher`
    works on the records in place of this loop, `concurrency` at a time.

    Raises:
        UsageError: an argument that cannot be, or a batch of this id goes on elsewhere.
        JournalError: the journal cannot be written. Runs that go on are ended.
    """
    _check_given(flow, records, batch_id)
    _check_numbers(concurrency, max_requests, max_usd)
    expect_doors(journal, effects)
    expect_limits(limits)
    expect("stop", stop, Stop, "flowdsl.Stop()")
    id = batch_id or new_run_id()
    async with records_of(journal, id, (max_requests, max_usd), effects) as kept, _connected(flow):
        work = _Work(flow, records, kept, id, limits, effects, on_event, tags, stop or Stop())
        by = dispatcher or SideBySide(concurrency)
        coming = by.dispatch(work.records, work.outcome, lambda: work.stop.is_asked)
        async with aclosing(coming) as outcomes:
            async for outcome in outcomes:
                yield outcome


def _check_given(flow: Any, records: Any, id: Any) -> None:
    """Raises UsageError for what is no flow, no records, or no beginning of the ids of runs."""
    from flowdsl.environment.flow import Flow

    if not isinstance(flow, Flow):
        raise UsageError(f"flow takes a flow that is loaded, such as flowdsl.load(…), not {type(flow).__name__}")
    if isinstance(records, (str, bytes, PathLike)):
        raise UsageError(
            f"records takes the records themselves, such as csv.DictReader(open({str(records)!r})), not the "
            f"{'path' if isinstance(records, PathLike) else 'text'}"
        )
    if isinstance(records, Mapping) or not isinstance(records, Iterable):
        raise UsageError(f"records takes a list, or what gives dicts one by one, not {type(records).__name__}")
    if id is not None and not (isinstance(id, str) and _ID.fullmatch(id)):
        raise UsageError(f"batch_id takes 1 to 100 letters, digits, `.`, `_` and `-`, not {id!r}")


def _check_numbers(concurrency: Any, max_requests: Any, max_usd: Any) -> None:
    """Raises UsageError for what does not say how many, or how much."""
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= MOST_AT_ONCE:
        raise UsageError(f"concurrency takes a number from 1 to {MOST_AT_ONCE:,}, not {concurrency!r}")
    for name, value in (("max_requests", max_requests), ("max_usd", max_usd)):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and value >= 0):
            raise UsageError(f"{name} takes a number that is not below 0, not {value!r}")


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
        kept: Records | None,
        id: str,
        limits: Limits | None,
        effects: Effects | None,
        on_event: Callable[[Event], None] | None,
        tags: Mapping[str, str] | None,
        stop: Stop,
    ) -> None:
        self.id = id
        self._flow = flow
        self.records = _numbered(records)
        self._kept = kept
        self._limits = limits
        self._effects = effects
        self._on_event = on_event
        self._tags = tags
        self.stop = stop
        self._last = flow.document.steps[-1].path if flow.document.steps else ""
        self._message = message_of(flow.document.source)

    async def _waits(self, run: str, error: RunError) -> bool:
        """Whether a vendor goes on with a request of a run: in its batch, or with an order that it has taken."""
        may = self._effects is not None or error.charge_possible
        return may and self._kept is not None and await self._kept.waits(run)

    async def outcome(self, taken: tuple[int, Mapping[str, Any]]) -> Outcome:
        """What becomes of a record."""
        number, inputs = taken
        run, began = f"{self.id}.{number}", perf_counter()
        kept = self._kept
        if kept is not None and kept.is_held(number):
            error = record_held(self.id)
            return Outcome(number, "held", run, None, error, 0.0)
        if (room := ROOM.get()) is not None:  # the last requests have come, and only the journal waits for the disk
            ALL_CAME.set(lambda path: room() if path == self._last else None)
        try:
            result = await self._flow.arun(
                inputs if self._message is None else {self._message: inputs},
                on_event=self._on_event,
                effects=self._effects,
                journal=kept and _OfRecord(kept, self.id, number),
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
            elif error.code == RequestHeld.code:
                status = "held"
            elif await self._waits(run, error):
                status = "waiting"
            elif error.code == _FULL:
                self.stop()
                status = "stopped"
            elif error.charge_possible and kept is not None and await kept.is_in_doubt(run):
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
