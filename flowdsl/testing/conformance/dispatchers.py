"""What every dispatcher keeps, whatever works on the records: a class of tests to be subclassed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing, suppress
from typing import Any

import pytest

from flowdsl import Dispatcher

RECORDS = 40


class DispatcherConformance:
    """Subclass it, and say how a dispatcher is opened."""

    def opened(self, most: int) -> Dispatcher:
        """A dispatcher that works on so many records at a time at most."""
        raise NotImplementedError

    def run(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs a test in an event loop of its own; it fails where that never ends."""
        asyncio.run(asyncio.wait_for(act(), 60))

    def test_each_record_is_worked_on_once_and_comes_as_what_became_of_it(self) -> None:
        worked, came = Counter[int](), list[int]()

        async def work(record: int) -> int:
            worked[record] += 1
            await asyncio.sleep(0.001 * (record % 5))
            return record * 2

        async def act() -> None:
            came.extend([each async for each in self.opened(7).dispatch(iter(range(RECORDS)), work, lambda: False)])

        self.run(act)
        assert worked == Counter(range(RECORDS))
        assert sorted(came) == [record * 2 for record in range(RECORDS)]

    def test_no_more_are_worked_on_at_once_than_it_may(self) -> None:
        now, most = 0, 0

        async def work(record: int) -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.002)
            now -= 1

        async def act() -> None:
            async for _ in self.opened(5).dispatch(iter(range(RECORDS)), work, lambda: False):
                pass

        self.run(act)
        assert 1 <= most <= 5

    def test_records_are_taken_when_there_is_room_for_them(self) -> None:
        taken = 0

        def records() -> Iterator[int]:
            nonlocal taken
            for record in range(1000):
                taken = record + 1
                yield record

        async def work(record: int) -> int:
            return record

        async def act() -> None:
            async with aclosing(self.opened(4).dispatch(records(), work, lambda: False)) as outcomes:
                await anext(outcomes)
                await asyncio.sleep(0.05)  # nobody takes what comes

        self.run(act)
        assert taken <= 1 + 3 * 4

    def test_what_is_stopped_takes_no_further_record_and_ends_those_it_has(self) -> None:
        begun, ended, came = list[int](), list[int](), list[int]()

        async def work(record: int) -> int:
            begun.append(record)
            await asyncio.sleep(0.01)
            ended.append(record)
            return record

        async def act() -> None:
            async for each in self.opened(3).dispatch(iter(range(RECORDS)), work, lambda: bool(came)):
                came.append(each)
            assert sorted(came) == sorted(begun) == sorted(ended)

        self.run(act)
        assert len(begun) <= 6

    @pytest.mark.parametrize("where", ["the records", "the work"])
    def test_what_fails_ends_it_when_those_that_go_on_have_ended(self, where: str) -> None:
        begun, ended = list[int](), list[int]()

        def records() -> Iterator[int]:
            for record in range(RECORDS):
                if where == "the records" and record == 6:
                    raise ZeroDivisionError(where)
                yield record

        async def work(record: int) -> None:
            begun.append(record)
            await asyncio.sleep(0.01)
            if where == "the work" and record == 6:
                raise ZeroDivisionError(where)
            ended.append(record)

        async def act() -> None:
            with pytest.raises(ZeroDivisionError, match=where):
                async for _ in self.opened(3).dispatch(records(), work, lambda: False):
                    pass
            assert set(begun) - set(ended) <= {6}

        self.run(act)
        assert len(begun) < 15

    def test_who_closes_it_cancels_what_goes_on_and_waits_for_it(self) -> None:
        cancelled, begun, all_begun = list[int](), list[int](), asyncio.Event()

        async def work(record: int) -> int:
            begun.append(record)
            if len(begun) == 3:
                all_begun.set()
            if not record:
                return record
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                cancelled.append(record)
                raise
            return record

        async def act() -> None:
            with suppress(asyncio.CancelledError):
                async with aclosing(self.opened(3).dispatch(iter(range(RECORDS)), work, lambda: False)) as outcomes:
                    await anext(outcomes)
                    await all_begun.wait()
            assert sorted(cancelled) == sorted(set(begun) - {0})

        self.run(act)
