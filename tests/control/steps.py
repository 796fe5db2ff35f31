"""Steps that make side-by-side work and cancellation visible."""

from __future__ import annotations

import asyncio

from flowdsl import Step, StepContext


class Gauge:
    """How many steps are at work, and how many were at most."""

    def __init__(self) -> None:
        self.now = 0
        self.peak = 0
        self.cancelled = 0


def busy_step(gauge: Gauge) -> type[Step]:
    """A step BUSY that is at work for five turns of the event loop."""

    class Busy(Step, name="BUSY"):
        """Counts itself while it works."""

        async def run(self, ctx: StepContext) -> None:
            """Works for a while."""
            gauge.now += 1
            gauge.peak = max(gauge.peak, gauge.now)
            for _ in range(5):
                await asyncio.sleep(0)
            gauge.now -= 1

    return Busy


def hang_step(gauge: Gauge) -> type[Step]:
    """A step HANG that never ends, and counts when it is cancelled."""

    class Hang(Step, name="HANG"):
        """Waits for ever."""

        async def run(self, ctx: StepContext) -> None:
            """Waits for what never comes."""
            gauge.now += 1
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                gauge.cancelled += 1
                raise

    return Hang
