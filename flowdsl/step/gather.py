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

from flowdsl.errors import UsageError
from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.step.step_context import StepContext


T = TypeVar("T")
_HELD: dict[asyncio.AbstractEventLoop, int] = {}
"""How much work is waited for in a loop that no cancellation stops."""


async def to_its_end(work: asyncio.Future[T]) -> T:
    """What some work gives that a cancellation does not stop, such as a thread: it is waited for, and the cancellation
    goes on then."""
    cancelled: asyncio.CancelledError | None = None
    loop = work.get_loop()
    _HELD[loop] = _HELD.get(loop, 0) + 1
    try:
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
    finally:
        _HELD[loop] -= 1
        if not _HELD[loop]:
            del _HELD[loop]
    if cancelled is not None:
        work.exception()  # is read, as nobody else will
        raise cancelled
    return work.result()


def is_held(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether work is waited for in a loop that no cancellation stops: what is paid for is being stored."""
    return loop in _HELD


class Gathered:
    """What work side by side came to: by index its outcome, an error or a signal, and the FlowContext keys it
    changed."""

    def __init__(self) -> None:
        self.changes: dict[int, dict[str, Any]] = {}
        self.outcomes: dict[int, BaseException | Signal] = {}

    def merge(self, ctx: StepContext) -> Signal | None:
        """Writes what was changed without failing, in order; gives the signal that wins: END before RETURN.

        Raises:
            BaseException: the first error, in order, after the merge.
        """
        for index in sorted(self.changes):
            for key, value in self.changes[index].items():
                ctx.write(key, value)
        for index in sorted(self.outcomes):
            outcome = self.outcomes[index]
            if isinstance(outcome, BaseException):
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

    With `stop`, none is started after one that failed or gave a signal, but CONTINUE. Cancelling it cancels all that
    runs, and waits for it.

    Raises:
        UsageError: `concurrency` is no number from 1.
    """
    if not isinstance(concurrency, int) or concurrency < 1:
        raise UsageError(f"gather: concurrency is {concurrency!r}, and must be a whole number from 1")
    gathered, indexes = Gathered(), iter(range(size))

    async def worker() -> None:
        for index in indexes:
            if stop and gathered.outcomes:
                return
            branch = ctx.branch()
            outcome: BaseException | Signal | None
            try:
                outcome = await work(branch.context, index)
                if outcome is not None and not isinstance(outcome, Signal):
                    kind = type(outcome).__name__
                    raise UsageError(f"gather: `work` gave a value of type {kind}; give a flowdsl.Signal, or None")
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                    raise
                outcome = error  # a mistake in `work` too: what the others pay for comes to its end
            else:
                gathered.changes[index] = branch.changes()
                outcome = None if outcome is Signal.CONTINUE else outcome
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
