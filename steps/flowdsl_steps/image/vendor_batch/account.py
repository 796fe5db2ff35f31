"""The requests of runs to one account: gathered, sent as batches, and their results handed out."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from flowdsl.errors import RunError, ServiceError, ServiceUnavailable
from flowdsl_steps.image.vendor_batch.api import PASSING
from flowdsl_steps.image.vendor_batch.files import BatchRequest, Part, line_of
from flowdsl_steps.image.vendor_batch.journal import BatchJournal
from flowdsl_steps.image.vendor_batch.vendor_batch import Outcome, VendorBatch

_MOST_FOLLOWED = 60
"""So often the results of a batch are asked for that do not come."""


class Account:
    """Gathers the requests of one account for `gather_s` seconds after the last one, or until they are `most`; `write`
    writes them into files. `waiting` are the requests that runs wait for, of all accounts of a door."""

    def __init__(
        self,
        batch: VendorBatch,
        journal: BatchJournal,
        waiting: dict[str, asyncio.Future[Outcome]],
        write: Callable[[Sequence[BatchRequest]], Coroutine[Any, Any, list[Part]]],
        *,
        gather_s: float,
        most: int,
        pause_s: float,
    ) -> None:
        self.batch = batch
        self._journal = journal
        self._waiting = waiting
        self._write = write
        self._gather_s = gather_s
        self._most = most
        self._pause_s = pause_s
        self._gathered: dict[str, BatchRequest] = {}
        self._followed: set[int] = set()
        self._under_way: set[int] = set()
        self._one_ended = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def outcome(self, request: BatchRequest) -> Outcome:
        """What came of a request: known, on its way, or asked for now.

        Raises:
            ServiceError: it is part of a batch that cannot be asked for here.
        """
        item = self._journal.find(request.id)
        if item is not None and item.state in ("done", "failed"):
            return self.batch.known(item.result, item.state, request.id)
        future = self._waiting.get(request.id)
        if future is None:
            if item is None or item.state != "waiting" or not self._is_at_vendor(item.part):
                await asyncio.to_thread(line_of, request)  # a request that cannot be one fails alone
                self._gathered[request.id] = request
                self._wind()
            future = self._waiting[request.id] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if self._gathered.pop(request.id, None) is not None:  # nobody waits for it, and it is not sent yet
                self._waiting.pop(request.id, None)
            raise

    async def room(self) -> bool:
        """Waits for room in the vendor's queue: until a batch ends that is under way. False where there is none, and
        some time has passed."""
        if not self._under_way:
            await asyncio.sleep(self._pause_s)
            return False
        await self._one_ended.wait()
        return True

    async def send(self) -> None:
        """Sends what has been gathered."""
        if gathered := self._taken():
            await self._send(gathered)

    async def _send(self, gathered: dict[str, BatchRequest]) -> None:
        try:
            parts = await self._write([*gathered.values()])
        except (RunError, OSError) as error:
            self._fail(gathered, error)
            return
        try:
            for part in parts:
                try:
                    await self.batch.submit(part)
                except RunError as error:
                    self._fail(part.ids, error)
                else:
                    self.follow(part.number)
        finally:
            for part in parts:
                part.file.close()

    def follow(self, number: int) -> None:
        """Waits for a batch in the background."""
        self._followed.add(number)
        self._under_way.add(number)
        self._start(self._follow(number))

    async def close(self) -> None:
        """Waits for nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _is_at_vendor(self, number: int) -> bool:
        """Whether the vendor works on a part, which is followed then; not where it was never asked for a batch."""
        if number in self._followed:
            return True
        part = next(part for part in self._journal.parts() if part.number == number)
        if part.state in ("prepared", "uploaded"):
            return False
        if part.url == self.batch.url and part.state in ("submitted", "lost"):
            self.follow(number)
            return True
        place = "" if part.url == self.batch.url else f" at {part.url}, and the service is at {self.batch.url} now"
        raise ServiceUnavailable(
            f"this request went into a batch of {part.service}{place}: it may be done, and billed",
            service=part.service,
            code="batch-in-doubt",
            charge_possible=True,
            hint=f"set the `endpoint` of {part.service} as it was, and go on: its pictures are fetched there"
            if place
            else "run it again: the batch is looked for before anything is sent",
        )

    async def _follow(self, number: int) -> None:
        ids = self._journal.waiting(number)
        try:
            for tried in range(_MOST_FOLLOWED):
                try:
                    async for outcome in self.batch.results(number):
                        self._has_ended(number)
                        ids.discard(outcome.id)
                        self._hand_out(outcome)
                except ServiceError as error:
                    may_pass = error.status is None or error.status in PASSING
                    if not may_pass or tried == _MOST_FOLLOWED - 1:
                        raise
                else:
                    return
                await asyncio.sleep(self._pause_s)
        except RunError as error:
            error.charge_possible = True  # the batch goes on, and is billed
            self._followed.discard(number)
            self._fail(ids, error)
        finally:
            self._has_ended(number)

    def _has_ended(self, number: int) -> None:
        """A batch is no longer in the vendor's queue."""
        if number in self._under_way:
            self._under_way.discard(number)
            self._one_ended.set()
            self._one_ended = asyncio.Event()

    def _hand_out(self, outcome: Outcome) -> None:
        future = self._waiting.pop(outcome.id, None)
        if future is not None and not future.done():
            future.set_result(outcome)

    def _fail(self, ids: Iterable[str], error: Exception) -> None:
        for id in ids:
            future = self._waiting.pop(id, None)
            if future is not None and not future.done():
                future.set_exception(copy.copy(error))  # each run adds to its own where it happened

    def _wind(self) -> None:
        if len(self._gathered) >= self._most:
            self._start(self._send(self._taken()))
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._gather_s, lambda: self._start(self.send()))

    def _taken(self) -> dict[str, BatchRequest]:
        """What has been gathered, of which nothing is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered = self._gathered, {}
        return gathered

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Tells all who wait of a fault that nobody has foreseen: else they would wait for ever."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(error)
