"""The loop over records: the one place through which every record goes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from flowdsl import RunError, Signal
from flowdsl_steps.records.record import Record

MOST_NAMED = 100
"""So many records that ended marked are named; of further ones there is only the number."""

MOST_TOLD = 5
"""So many of them stand in the message of the run."""


class Failure(NamedTuple):
    """A record that ended marked: its number from 0, where it stands in the input, and why."""

    number: int
    name: str
    error: str


class Painted(NamedTuple):
    """A record of which pictures were made, whatever became of it: they are there, and paid for."""

    number: int
    name: str
    pictures: list[dict[str, Any]]


class Tally:
    """What became of the records of a run: how many were read, written and dropped, and which of them ended marked.

    A record that is marked is written as well, unless the output rejects it. `signal` is what ended the loop early.
    """

    def __init__(self) -> None:
        self.read = 0
        self.written = 0
        self.dropped = 0
        self.failed = 0
        self.failures: list[Failure] = []
        self.painted: list[Painted] = []
        self.rejected = 0
        self.signal: Signal | None = None

    def end(self, record: Record) -> None:
        """Counts a record that has come to its end."""
        self.dropped += record.is_dropped
        self.written += not (record.is_dropped or record.is_rejected)
        self.rejected += record.is_rejected
        if record.pictures:
            self.painted.append(Painted(record.number, record.name, record.pictures))
        if record.error is not None and not record.is_dropped:
            self.failed += 1
            if len(self.failures) < MOST_NAMED:
                self.failures.append(Failure(record.number, record.name, record.error))

    def to_json(self) -> dict[str, object]:
        """The numbers, the failures that are named, and the messages of which there are pictures."""
        failures = [{"record": each.number, "at": each.name, "error": each.error} for each in self.failures]
        counted = {"read": self.read, "written": self.written, "dropped": self.dropped, "failed": self.failed}
        painted = [{"record": each.number, "at": each.name, "images": each.pictures} for each in self.painted]
        return {**counted, "failures": failures, "messages": painted}


async def run_records(
    records: AsyncIterator[Record],
    work: Callable[[Record], Awaitable[Signal | None]],
    deliver: Callable[[Record], Awaitable[None]],
    *,
    side_by_side: int = 1,
) -> Tally:
    """Runs `work` on each record, then hands it to `deliver`; gives what became of them.

    Memory is bounded: `records` is asked for the next one only when there is room, at most `side_by_side` of them are
    held at a time, and nothing is kept of one that is delivered but its place and its pictures in the tally. `work` may
    run side by side for several; `deliver` is called for one after another, in the order of the input, and not for what
    was dropped or rejected.

    A record that fails is no error here: `work` marks it, and it is delivered and counted; one that its output does not
    take is rejected by `deliver`, and counted as failed. `work` and `deliver` raise what ends the whole run (a limit, a
    service without a key, a disk that is full): then no further record is read, those that run are waited for and
    delivered up to the first that raised, and it is raised. A signal of `work` ends the loop in the same way, but is
    kept in the tally; CONTINUE ends nothing. A cancellation cancels what runs, waits for it, and delivers nothing more.

    Whoever keeps a journal of a run wraps `work`: a record is known by its `number` and its content, and what `work`
    did to it is its content, `metadata`, `error` and `is_dropped`.
    """
    tally = Tally()
    running: deque[tuple[Record, asyncio.Task[Signal | None]]] = deque()

    async def finish() -> bool:
        """Waits for the oldest; whether the loop goes on."""
        record, task = running[0]
        signal = await task
        running.popleft()
        if not (record.is_dropped or record.is_rejected):
            await deliver(record)
        tally.end(record)
        if signal is not None and signal is not Signal.CONTINUE:
            tally.signal = tally.signal or signal
            return False
        return True

    try:
        goes_on = True
        async for record in records:
            tally.read += 1
            running.append((record, asyncio.ensure_future(work(record))))
            while goes_on and running and (len(running) >= side_by_side or running[0][1].done()):
                goes_on = await finish()
            if not goes_on:
                break
        while running:
            await finish()
    except RunError:
        raise
    except BaseException:  # a cancellation, or what ends the program: nothing more is paid for
        for _, task in running:
            task.cancel()
        raise
    finally:
        left = [task for _, task in running]
        if left:
            await asyncio.wait(left)
        for task in left:
            if not task.cancelled():
                task.exception()  # is read: the first one is what is raised
    return tally
