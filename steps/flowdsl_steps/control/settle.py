"""Work side by side that always settles: nothing is cancelled because something else failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from flowdsl import RunError, Signal, StepContext

Outcome = RunError | Signal | None


class Settled:
    """What work side by side came to: by index its outcome, and the FlowContext keys it changed."""

    def __init__(self) -> None:
        self.changes: dict[int, dict[str, Any]] = {}
        self.outcomes: dict[int, Outcome] = {}

    def merge(self, ctx: StepContext) -> Signal | None:
        """Writes what was changed without failing, in order; gives the signal that wins: END before RETURN.

        Raises:
            RunError: the first error, in order, after the merge.
        """
        for index in sorted(self.changes):
            for key, value in self.changes[index].items():
                ctx.write(key, value)
        for index in sorted(self.outcomes):
            outcome = self.outcomes[index]
            if isinstance(outcome, RunError):
                raise outcome
        signals = set(self.outcomes.values())
        return next((signal for signal in (Signal.END, Signal.RETURN) if signal in signals), None)


async def settle(
    ctx: StepContext,
    size: int,
    work: Callable[[StepContext, int], Awaitable[Signal | None]],
    *,
    concurrency: int,
    stop: bool = False,
) -> Settled:
    """Runs `work(context, index)` for each index below `size`, at most `concurrency` at a time, each on its own copy of
    the FlowContext as it is now. With `stop`, none is started after one that failed or gave a signal.

    Cancelling it cancels all that runs, and waits for it.
    """
    settled, indexes = Settled(), iter(range(size))

    async def worker() -> None:
        for index in indexes:
            if stop and settled.outcomes:
                return
            branch = ctx.branch()
            try:
                outcome: Outcome = await work(branch.context, index)
            except RunError as error:
                outcome = error
            else:
                settled.changes[index] = branch.changes()
            if outcome is not None:
                settled.outcomes[index] = outcome

    workers = [asyncio.create_task(worker()) for _ in range(min(concurrency, size))]
    if workers:
        await _all(workers)
    return settled


async def _all(workers: list[asyncio.Task[None]]) -> None:
    """Waits for all workers; cancelled, it cancels each of them once, and waits for what they still clean up."""
    try:
        await asyncio.wait(workers)
    except asyncio.CancelledError:
        for task in workers:
            task.cancel()
        await asyncio.wait(workers)
        raise
    for task in workers:
        task.result()
