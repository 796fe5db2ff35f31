"""Steps in order over one FlowContext: the innermost loop of the engine.

Who may write what: a `Run` belongs to all branches, and only its totals change. A `Frame` belongs to one branch, which
runs one step at a time, and only that step writes its FlowContext; what runs side by side gets frames of its own, made
by `branched`, whose changes the step that made them writes back when all have finished. Everything runs in one event
loop, so a write is never half done; between two `await`s nobody else runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from copy import copy
from dataclasses import replace
from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from flowdsl.engine.context_size import HOLDING, SIZED, UNCOUNTED
from flowdsl.engine.failures import (
    EXITS,
    ODD,
    Ending,
    completed,
    crashed,
    first_of,
    is_cancelled,
    is_closed,
    limit_exceeded,
    too_late,
)
from flowdsl.engine.iterations import around
from flowdsl.engine.kept_back import Met, kept_back, no_signal, pass_on
from flowdsl.engine.namespaces import Evaluation
from flowdsl.engine.program import CompiledStep
from flowdsl.engine.unfinished import out_of_place, refused
from flowdsl.errors import LimitExceeded, RunError, StepError, in_words
from flowdsl.events import Invocation, Note, StepFailed, StepStarted, step_finished, step_started
from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.document.document import Module, StepNode
    from flowdsl.engine.paid import Paid
    from flowdsl.engine.state import Run
    from flowdsl.step.block import Block
    from flowdsl.step.compiling import Resolver

MAX_CALL_DEPTH = 64
"""How deep called flows may call others."""
FRESH_STACK = 4
"""At every so many calls inside calls a new task begins."""
BREATHER = 1024
"""After so many steps the loop gets a turn, so that a flow without waiting can be cancelled; a power of two."""


class Frame:
    """The FlowContext and the names of one branch of a run.

    `invocation` is the step that runs in it now, `depth` counts calls inside calls, `module` is where called flows are
    looked up, `evaluating` holds the vars that are being resolved, `paid` what earlier attempts of the block around it
    bought, `around` the FlowContext keys of item and index of each loop around, and the number of each branch, from the
    outermost. `ending` is what ends the run, as far as it was met in this branch or in one of it: a step that catches
    it does not stop it. `signalled` is the last step that ended its list with a signal.
    """

    __slots__ = (
        "__weakref__",
        "_above",
        "around",
        "context",
        "depth",
        "ending",
        "evaluating",
        "invocation",
        "module",
        "names",
        "paid",
        "run",
        "signalled",
    )

    def __init__(self, run: Run, context: dict[str, Any]) -> None:
        self.run = run
        self.context = context
        self.invocation: Invocation = run.root
        self.depth = 0
        self.around: tuple[tuple[str, str] | int, ...] = ()
        self.evaluating = Evaluation()
        self.module: Module | None = None
        self.paid: Paid | None = None
        self.ending: Met | None = None
        self.signalled: CompiledStep | None = None
        self._above: Frame | None = None
        self.names = run.names
        self.names = run.program.names_for(self)
        run.size.context(context)

    @property
    def check_time(self) -> Callable[[], None] | None:
        """Raises LimitExceeded when the run is past its deadline; None when it has none."""
        return None if self.run.limits.timeout_s is None else self.run.check_time

    def put(self, key: str, value: Any) -> None:
        """Sets a key of the FlowContext.

        Raises:
            LimitExceeded: the values of the run are larger than its limit.
        """
        self.context[key] = value
        if value.__class__ in SIZED and (len(value) > UNCOUNTED or value.__class__ in HOLDING):
            self.run.size.grow(value)

    def branched(self) -> Frame:
        """A frame that shares everything but the FlowContext, of which it has a shallow copy."""
        branch = copy(self)
        branch._above = self
        branch.context = dict(self.context)
        branch.evaluating = Evaluation()
        branch.names = self.run.program.names_for(branch, self.module)
        self.run.size.branch(branch)
        return branch

    def ends_with(self, error: BaseException) -> None:
        """Takes note of what leaves a step here, and ends the run with it: no step can keep it back."""
        met = Met(error, asyncio.current_task())
        frame: Frame | None = self
        while frame is not None:
            frame.ending = met
            frame = frame._above

    def is_within(self, other: Frame) -> bool:
        """Whether it is the other one, or a branch of it."""
        frame: Frame | None = self
        while frame is not None and frame is not other:
            frame = frame._above
        return frame is other

    def run_block(self, block: Block | None, *, iteration: int | None = None) -> Coroutine[Any, Any, Signal | None]:
        """Runs the steps of a block; gives the signal that ended it early."""
        return run_steps(block.steps if block is not None else (), self, self.invocation, iteration)

    def check_taken(self, signal: Signal | None) -> None:
        """Looks at the signal that ended a flow: BREAK and CONTINUE are for a loop.

        Raises:
            StepError: no loop took it. The check finds that, unless the step gives what its class does not say.
        """
        step = self.signalled
        if signal is not None and signal.beyond_loop is None and step is not None:
            error = StepError(f"{step.name} gave {signal.name}, and no loop is around it", code="step-crashed")
            error.step, error.path, error.span = step.name, step.path, step.span
            raise error

    async def call(self, steps: Sequence[StepNode], module: Module | None, caller: Invocation) -> Signal | None:
        """Runs a reusable flow on the same FlowContext; only END leaves it.

        Raises:
            LimitExceeded: calls stand more than 64 deep inside each other.
        """
        if self.depth >= MAX_CALL_DEPTH:
            raise LimitExceeded(f"flows call each other more than {MAX_CALL_DEPTH} deep", code="call-depth")
        called = copy(self)
        called._above = self
        called.depth += 1
        called.module = module
        called.names = self.run.program.names_for(called, module)
        running = run_steps(self.run.program.flow(steps), called, caller)
        # A task begins a new stack of Python's: calls inside calls would outgrow one.
        signal = await (asyncio.create_task(running) if called.depth % FRESH_STACK == 0 else running)
        called.check_taken(signal)
        return Signal.END if signal is Signal.END else None


async def run_steps(
    steps: Sequence[CompiledStep], frame: Frame, parent: Invocation, iteration: int | None = None
) -> Signal | None:
    """Runs steps in order, up to the first that gives a signal; gives that signal.

    `parent` is the invocation in whose block they stand, `iteration` that of the block.
    """
    run = frame.run
    totals, emit, observed, started = run.totals, run.emit, run.observed, run.started
    max_steps, timeout_s = run.limits.steps, run.limits.timeout_s
    invocation: Invocation = parent
    began = 0.0
    between = BREATHER - 1
    ending = frame.ending
    if get_ident() != run.thread:
        await refused(out_of_place(parent.step))
    rested = True  # between the end of a step and the next one no time passes
    if not steps and iteration is not None:  # a loop over nothing goes on for as long as one over something
        totals.empty_iterations += 1
        if totals.empty_iterations > max_steps:
            text = f"loops without steps repeat more than {max_steps:,} times"
            raise await _limited(LimitExceeded(text, code="too-many-steps"), frame)
        if timeout_s is not None and perf_counter() - started > timeout_s:
            raise await _limited(too_late(timeout_s, None), frame)
    try:
        for step in steps:
            if totals.steps >= max_steps:
                limit = limit_exceeded(f"the run has more than {max_steps:,} steps", step, code="too-many-steps")
                around(limit).leave(None, iteration, frame.context, run.secrets)
                raise await _limited(limit, frame)
            if rested and timeout_s is not None and perf_counter() - started > timeout_s:
                raise await _limited(
                    _late(step, frame, iteration), frame
                )  # not even a `finally` runs after the deadline
            if observed:
                began = perf_counter() - started
                totals.invocations = id = totals.invocations + 1
                invocation = step_started(run.id, id, parent, step.name, step.path, iteration, began)
                frame.invocation = invocation
                if emit is not None:
                    if step.label is not None:
                        frame.invocation = invocation = _labelled(invocation, step.label, frame)
                    emit(invocation)
            try:
                signal = step.execute(frame)
                if signal is not None and signal.__class__ is not Signal:
                    signal = await cast("Awaitable[Signal | None]", signal)
                    if frame.ending is not ending:
                        await pass_on(frame, ending)
                    if signal is not None and signal.__class__ is not Signal:
                        raise no_signal(step.name, signal)
            except BaseException as error:
                told = error
                if frame.ending is not ending:
                    told = await kept_back(error, frame, ending)
                told = _ended(told, step, frame, invocation, began, iteration)
                if told is error:
                    raise
                raise told from told.__cause__  # which is gone when it would show a secret
            finally:
                frame.invocation = parent
            totals.steps = count = totals.steps + 1
            if emit is not None:
                ended = perf_counter() - started
                said = None if signal is None else signal.value
                emit(step_finished(run.id, invocation, ended, ended - began, step.wrote, said))
            if signal is not None:
                frame.signalled = step
                return signal
            if timeout_s is not None and perf_counter() - started > timeout_s:
                raise await _limited(_late(step, frame, iteration), frame)
            if count & between:
                rested = False
            else:
                rested = True
                await asyncio.sleep(0)
    except Ending as ending_here:  # also of a listener, between two steps
        frame.ends_with(ending_here)
        raise
    return None


def _ended(
    error: BaseException,
    step: CompiledStep,
    frame: Frame,
    invocation: Invocation,
    began: float,
    iteration: int | None,
) -> BaseException:
    """What a step ends with, for what it raised: told, with its place, and secrets hidden in it."""
    error = first_of(error)
    if isinstance(error, GeneratorExit) and is_closed():
        return error
    if isinstance(error, EXITS):
        ending = Ending(error)
        ending.__cause__ = error
        error = ending
    if isinstance(error, Ending) or (isinstance(error, asyncio.CancelledError) and is_cancelled()):
        _interrupted(error, step, frame, invocation, began, iteration)
        return error
    if not isinstance(error, RunError):
        error = crashed(step.name, error)
    _failed(error, step, frame, invocation, began)
    around(error).leave(step, iteration, frame.context, frame.run.secrets)
    if isinstance(error, LimitExceeded):
        frame.ends_with(error)
    return error


def _interrupted(
    error: BaseException,
    step: CompiledStep,
    frame: Frame,
    invocation: Invocation,
    began: float,
    iteration: int | None,
) -> None:
    """Takes note of where the run was when it was cancelled, or what ends it was raised."""
    run = frame.run
    left = around(error, None if step.items is None or run.interrupted is None else run.interrupted[1])
    left.leave(step, iteration, frame.context, run.secrets)
    run.interrupted = run.interrupted or (step, left)
    if run.emit is not None:
        run.left_open.append((frame, invocation, began))
    frame.ends_with(error)


def _late(step: CompiledStep, frame: Frame, iteration: int | None) -> LimitExceeded:
    """The error of a run that is past its deadline when a step should begin, or has ended."""
    late = too_late(frame.run.limits.timeout_s, step)
    around(late).leave(None, iteration, frame.context, frame.run.secrets)
    return late


async def _limited(limit: LimitExceeded, frame: Frame) -> LimitExceeded:
    """The error of a limit that was met between two steps. The event loop gets a turn: a step that catches it, and
    begins the block again and again, can be cancelled."""
    frame.ends_with(limit)
    await asyncio.sleep(0)
    return limit


def _labelled(event: StepStarted, resolve: Resolver, frame: Frame) -> StepStarted:
    """The start of a step with its label; without one when that fails, which is noted: no run depends on it."""
    from flowdsl.template.values import to_text

    run = frame.run
    try:
        label = resolve(frame.context, frame.names)
        run.secrets.notice(label)
        return replace(event, label=run.secrets.hide_in(to_text(label)))
    except EXITS as error:
        raise Ending(error) from error
    except ODD as error:  # a function of the host
        why = error.message if isinstance(error, RunError) else in_words(error)
        run.secrets.notice(frame.context)
        text = run.secrets.hide(f"the monitorLabel fails: {why}")
        run.keep_note("label-failed", text)
        if run.emit is not None:
            run.emit(Note(run=run.id, invocation=event, at_s=run.now(), code="label-failed", text=text))
        return event


def _failed(error: RunError, step: CompiledStep, frame: Frame, invocation: Invocation, began: float) -> None:
    """Completes an error with its place, hides secrets in it, and emits it."""
    run = frame.run
    completed(error, step.name, step.path, step.span, run.secrets, frame.context)
    if run.emit is not None:
        now = run.now()
        run.emit(StepFailed(run=run.id, invocation=invocation, at_s=now, elapsed_s=now - began, error=error))
