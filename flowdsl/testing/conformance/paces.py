"""What every pace keeps, whatever it is made of: a class of tests to be subclassed. Two paces of one place count as two
processes do. Times are only bounded from below: what is asked too soon is wrong, and a slow machine is not.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter

from flowdsl import Allowance, Pace

PATIENCE_S = 60.0


class PaceConformance:
    """Subclass it, and say how a pace of a place is opened."""

    def opened(self, folder: Path) -> AbstractContextManager[Pace]:
        """A pace; those of one folder share everything."""
        raise NotImplementedError

    def holder(self, folder: Path) -> str:
        """The text of a program that takes the one place of the service `images`, prints a line, and waits."""
        raise NotImplementedError

    def elapsed(self, folder: Path, act: Callable[[Pace, Pace], Awaitable[object]]) -> float:
        async def timed() -> float:
            with self.opened(folder) as one, self.opened(folder) as other:
                began = perf_counter()
                await asyncio.wait_for(act(one, other), PATIENCE_S)
                return perf_counter() - began

        return asyncio.run(timed())

    def test_all_who_share_it_keep_one_rate(self, tmp_path: Path) -> None:
        async def ask(one: Pace, other: Pace) -> None:
            await asyncio.gather(*(pace.take("images", 0.02) for pace in (one, other) for _ in range(6)))

        assert self.elapsed(tmp_path, ask) >= 11 * 0.02 - 0.001

    def test_services_do_not_wait_for_each_other(self, tmp_path: Path) -> None:
        async def ask(one: Pace, other: Pace) -> None:
            one.push_back("images", PATIENCE_S * 2)
            await one.take("elsewhere", 0.001)
            await other.take("pictures", 0.02)

        self.elapsed(tmp_path, ask)

    def test_each_image_counts(self, tmp_path: Path) -> None:
        async def ask(one: Pace, other: Pace) -> None:
            await one.take("images", 0, images=10, image_pause_s=0.02)
            await other.take("images", 0, images=1, image_pause_s=0.02)

        assert self.elapsed(tmp_path, ask) >= 10 * 0.02 - 0.001

    def test_a_pause_that_a_service_asks_for_is_everybodys(self, tmp_path: Path) -> None:
        async def ask(one: Pace, other: Pace) -> None:
            await one.take("images", 0.001)
            one.push_back("images", 0.2)
            await one.take("images", 0.001)
            await other.take("images", 0)

        assert self.elapsed(tmp_path, ask) >= 0.2 - 0.001

    def test_what_a_service_still_allows_is_taken_at_once_and_no_more(self, tmp_path: Path) -> None:
        async def ask(one: Pace, other: Pace) -> float:
            one.learn("images", "a", Allowance(kind="requests", most=4, left=2, full_s=0.45))  # one each 0.3 s
            await one.take("elsewhere", 0.001)  # what is said before is known then
            await one.take("images", 0, model="a")
            began = perf_counter()
            for pace in (other, one, other):
                await pace.take("images", 0, model="a")
            await other.take("images", 0, model="b")
            return perf_counter() - began

        assert self.elapsed(tmp_path, ask) >= 2 * 0.3 - 0.05

    def test_images_of_a_request_are_what_a_limit_of_images_counts(self, tmp_path: Path) -> None:
        async def ask(one: Pace, other: Pace) -> None:
            one.learn("images", "a", Allowance(kind="images", most=600, left=0))  # ten a second
            await one.take("elsewhere", 0.001)  # what is said before is known then
            await other.take("images", 0, model="a", images=3)

        assert self.elapsed(tmp_path, ask) >= 0.3 - 0.05

    def test_a_limit_of_a_day_makes_nobody_wait(self, tmp_path: Path) -> None:
        async def ask(one: Pace, other: Pace) -> None:
            one.learn("images", "a", Allowance(kind="requests", most=200, left=0, full_s=86_400))
            await one.take("elsewhere", 0.001)  # what is said before is known then
            await other.take("images", 0, model="a")

        self.elapsed(tmp_path, ask)

    def test_as_many_go_at_the_same_time_as_there_are_places(self, tmp_path: Path) -> None:
        now, most = 0, 0

        async def go(pace: Pace) -> None:
            nonlocal now, most
            async with pace.slot("images", 3):
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.01)
                now -= 1

        async def ask(one: Pace, other: Pace) -> None:
            await asyncio.gather(*(go(pace) for pace in (one, other) for _ in range(8)))

        self.elapsed(tmp_path, ask)
        assert most == 3

    def test_the_place_of_a_process_that_is_killed_is_free_again_and_not_before(self, tmp_path: Path) -> None:
        process = subprocess.Popen([sys.executable, "-c", self.holder(tmp_path)], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "taken\n"

            async def ask(one: Pace, other: Pace) -> None:
                waiting = asyncio.ensure_future(one.slot("images", 1).__aenter__())
                await asyncio.sleep(0.2)
                assert not waiting.done()
                process.kill()
                await waiting

            self.elapsed(tmp_path, ask)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
