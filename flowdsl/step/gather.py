"""Work side by side that always finishes: nothing is cancelled because something else failed.

Who may write what: each piece of work has its own shallow copy of the FlowContext (`StepContext.branch`), made when it
starts, and writes only there; nobody reads what another one writes. So it makes no difference when each of them gets a
turn. The one FlowContext they came from is written by `Gathered.merge` alone, after all of them have ended, in the
order of their indexes: where two set the same key, the later one wins, however fast it was. Values are shared, not
copied: a list or a map that stood in the FlowContext before is the same in all copies, and steps do not change one in
place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from flowdsl.errors import RunError
from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.step.step import StepContext


T = TypeVar("T")


async def to_its_end(work: asyncio.Future[T]) -> T:
    """What some work gives that a cancellation does not stop, such as a thread: it is waited for, and the cancellation
    goes on then."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()  # is read, as nobody else will
        raise cancelled
    return work.result()


class Gathered:
    """What work side by side came to: by index its outcome, an error or a signal, and the FlowContext keys it
    changed."""

    def __init__(self) -> None:
        self.changes: dict[int, dict[str, Any]] = {}
        self.outcomes: dict[int, RunError | Signal] = {}

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


async def gather(
    ctx: StepContext,
    size: int,
    work: Callable[[StepContext, int], Awaitable[Signal | None]],
    *,
    concurrency: int,
    stop: bool = False,
) -> Gathered:
    """Runs `work(context, index)` for each index below `size`, at most `concurrency` side by side, each on its own
    copy of the FlowContext as it is now; `merge` of the result brings the copies together.

    With `stop`, none is started after one that failed or gave a signal. Cancelling it cancels all that runs, and waits
    for it.
    """
    gathered, indexes = Gathered(), iter(range(size))

    async def worker() -> None:
        for index in indexes:
            if stop and gathered.outcomes:
                return
            branch = ctx.branch()
            try:
                outcome: RunError | Signal | None = await work(branch.context, index)
            except RunError as error:
                outcome = error
            else:
                gathered.changes[index] = branch.changes()
            if outcome is not None:
                gathered.outcomes[index] = outcome

    workers = [asyncio.create_task(worker()) for _ in range(min(concurrency, size))]
    if workers:
        with ctx.holding(gathered.changes):
            await _all(workers)
    return gathered


async def _all(workers: list[asyncio.Task[None]]) -> None:
    """Waits for all workers. When one raises what ends the run, it cancels the others, and waits for what they still
    clean up. Whenever it is cancelled itself it cancels them all, and leaves none behind."""
    cancelled: asyncio.CancelledError | None = None
    until = asyncio.FIRST_EXCEPTION
    while running := [task for task in workers if not task.done()]:
        try:
            await asyncio.wait(running, return_when=until)
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
        for task in running:  # in their order: the first that is interrupted is named
            task.cancel()
        until = asyncio.ALL_COMPLETED
    errors = [task.exception() for task in workers if not task.cancelled()]  # each is looked at, or asyncio complains
    for raised in (cancelled, *errors):
        if raised is not None:
            raise raised
