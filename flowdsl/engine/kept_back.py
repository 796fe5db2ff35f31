"""What ends a run and a step has caught: it goes on, whatever the step made of it.

A cancellation, an exit, what a listener raised and a limit are for the run. The code of a step sees them pass while it
waits for a block, and may catch them to clean up; one that does not raise them again must not keep the run, which would
pay for more. Only a cancellation of the step's own, such as that of `asyncio.timeout` around a block, ends there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from flowdsl.engine.failures import Ending, is_cancelled, is_closed
from flowdsl.errors import LimitExceeded, StepError
from flowdsl.events import StepFailed

if TYPE_CHECKING:
    from flowdsl.engine.state import Run


class Met(NamedTuple):
    """What ends a run, and the task in which it was met. A cancellation of another task says nothing of this one, and
    what `asyncio` counts does not either: a TaskGroup leaves its own cancellation in the count before Python 3.13."""

    error: BaseException
    task: asyncio.Task[Any] | None


class Branch(Protocol):
    """A branch of a run, and what was met in it that ends the run."""

    run: Run
    ending: Met | None


def no_signal(step: str, found: object) -> StepError:
    """The error of a step whose function gives something else than a signal."""
    return StepError(
        f"{step} gave a value of type {type(found).__name__}; give a flowdsl.Signal, or None", code="step-crashed"
    )


async def pass_on(frame: Branch, before: Met | None) -> None:
    """Raises what a step that has ended well kept back; `before` is what had ended the run when it began."""
    found = await _found(frame, before)
    if found is not None:
        raise found


async def kept_back(error: BaseException, frame: Branch, before: Met | None) -> BaseException:
    """What a step ends with that raised an error: what it kept back, or else the error."""
    if not isinstance(error, Exception) or isinstance(error, LimitExceeded) or is_closed():
        return error
    return await _found(frame, before) or error


async def _found(frame: Branch, before: Met | None) -> BaseException | None:
    met = frame.ending
    if met is None or isinstance(met.error, (Ending, LimitExceeded)):
        return met and met.error
    if met.task is asyncio.current_task() and is_cancelled():
        return met.error
    frame.ending = before
    _close_steps(frame)
    return None


def _close_steps(frame: Branch) -> None:
    """Tells the end of the steps in a block that the step around it has cancelled, and forgets that they were
    interrupted: the run goes on."""
    run = frame.run
    run.interrupted = None
    closed = [left for left in run.left_open if left[0].is_within(frame)]
    run.left_open = [left for left in run.left_open if left not in closed]
    for _, invocation, began in closed:
        error = StepError(f"{invocation.step} was interrupted by the step around it")
        error.step, error.path = invocation.step, invocation.path
        if run.emit is not None:
            now = run.now()
            run.emit(StepFailed(run=run.id, invocation=invocation, at_s=now, elapsed_s=now - began, error=error))
