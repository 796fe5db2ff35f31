"""The engine: runs the steps of a program over one FlowContext, and tells what happens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from copy import copy
from datetime import date
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flowdsl.document.root_keys import ERROR
from flowdsl.engine.program import CompiledStep, Program
from flowdsl.engine.secrets import Secrets
from flowdsl.error_value import ErrorValue
from flowdsl.errors import LimitExceeded, RunError, StepError, TemplateError
from flowdsl.events import Emitted, Event, FlowFinished, Note, StepFailed, StepFinished, StepStarted
from flowdsl.source import Span
from flowdsl.step.signals import Signal

if TYPE_CHECKING:
    from flowdsl.document.document import Module, StepNode
    from flowdsl.image.store import ImageStore
    from flowdsl.limits import Limits
    from flowdsl.services import ServiceLayers
    from flowdsl.step.block import Block
    from flowdsl.step.service import Service

T = TypeVar("T")
Emit = Callable[[Event], None]
MAX_CALL_DEPTH = 64
"""How deep called flows may call others."""
FRESH_STACK = 4
"""At every so many calls inside calls a new task begins."""
BREATHER = 1024
"""After so many steps the loop gets a turn, so that a flow without waiting can be cancelled."""


class Resources:
    """Things that steps share: each is opened once, and all are closed together."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._opened: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def __aenter__(self) -> Resources:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._opened.clear()
        self._locks.clear()
        await self._stack.aclose()

    async def get(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """The thing of that key, opened now if it is not open yet; when that fails, the next who asks tries again."""
        if key not in self._opened:
            async with self._locks.setdefault(key, asyncio.Lock()):
                if key not in self._opened:
                    self._opened[key] = await self._stack.enter_async_context(open())
        return self._opened[key]  # type: ignore[no-any-return]  # what was opened for this key is a T


class Totals:
    """What a run and its branches add up: steps and cost."""

    __slots__ = ("cost_known", "cost_usd", "steps")

    def __init__(self) -> None:
        self.steps = 0
        self.cost_usd = 0.0
        self.cost_known = True


class Run:
    """The state of one run, or of a branch of it: everything is shared with the branch but the FlowContext.

    `flows` is where called flows are looked up and what templates read of blocks; `depth` counts calls inside calls.
    """

    __slots__ = (
        "as_of",
        "context",
        "depth",
        "emit",
        "evaluating",
        "interrupted",
        "layers",
        "limits",
        "module",
        "names",
        "output",
        "program",
        "resources",
        "secrets",
        "sink",
        "started",
        "store",
        "totals",
    )

    def __init__(
        self,
        program: Program,
        *,
        context: dict[str, Any],
        names: Mapping[str, Any],
        secrets: Secrets,
        layers: ServiceLayers,
        limits: Limits,
        store: ImageStore,
        resources: Resources,
        emit: Emit | None,
        as_of: date,
        sink: Callable[[str, Any], None] | None = None,
        output: str = "flowdsl-output",
    ) -> None:
        self.program = program
        self.context = context
        self.names = names
        self.secrets = secrets
        self.layers = layers
        self.limits = limits
        self.store = store
        self.resources = resources
        self.emit = emit
        self.as_of = as_of
        self.sink = sink
        self.output = output
        self.started = perf_counter()
        self.totals = Totals()
        self.interrupted: CompiledStep | None = None
        self.depth = 0
        self.evaluating: list[str] = []
        self.module: Module | None = None
        self.names = program.names_for(self)

    @property
    def steps(self) -> int:
        """How many steps ran."""
        return self.totals.steps

    @property
    def cost(self) -> float | None:
        """What the run cost so far in USD, None when a part is not known."""
        return self.totals.cost_usd if self.totals.cost_known else None

    def branched(self) -> Run:
        """A run that shares everything but the FlowContext, of which it has a shallow copy."""
        branch = copy(self)
        branch.context = dict(self.context)
        branch.evaluating = []
        branch.names = self.program.names_for(branch, self.module)
        return branch

    async def call(self, steps: list[StepNode], module: Module | None) -> Signal | None:
        """Runs a reusable flow on the same FlowContext; only END leaves it.

        Raises:
            LimitExceeded: calls stand more than 64 deep inside each other.
        """
        if self.depth >= MAX_CALL_DEPTH:
            raise LimitExceeded(f"flows call each other more than {MAX_CALL_DEPTH} deep", code="call-depth")
        called = copy(self)
        called.depth += 1
        called.module = module
        called.names = self.program.names_for(called, module)
        running = called.block(self.program.flow(steps))
        # A task begins a new stack of Python's: calls inside calls would outgrow one.
        signal = await (asyncio.create_task(running) if called.depth % FRESH_STACK == 0 else running)
        return Signal.END if signal is Signal.END else None

    def now(self) -> float:
        """Seconds since the run started."""
        return perf_counter() - self.started

    def spend(self, usd: float | None) -> None:
        """Adds to the cost; None makes it unknown."""
        if usd is None:
            self.totals.cost_known = False
        else:
            self.totals.cost_usd += usd

    def tell(self, event: Emitted) -> None:
        """Tells the host's sink; without a sink and without an event callback it is printed to standard error."""
        if self.sink is not None:
            self.sink(event.name, event.payload)
        if self.emit is not None:
            self.emit(event)
        elif self.sink is None:
            sys.stderr.write(f"{event.name}: {self.secrets.hide(_printed(event.payload))}\n")

    def emit_note(self, step: StepNode, code: str, text: str) -> None:
        """Tells a note of a step."""
        if self.emit is not None:
            self.emit(Note(step.spec.name, step.path, self.now(), code, self.secrets.hide(text)))

    def block(self, steps: Sequence[CompiledStep]) -> Coroutine[Any, Any, Signal | None]:
        """Runs compiled steps; gives the signal that ended them early."""
        return run_steps(steps, self)

    def run_block(self, block: Block | None) -> Coroutine[Any, Any, Signal | None]:
        """Runs the steps of a block; gives the signal that ended it early."""
        return run_steps(block.steps if block is not None else (), self)

    def service(self, step: StepNode) -> Service:
        """The service entry of a step, with its templates resolved and its secrets marked.

        Raises:
            ConfigError: the service is not configured.
        """
        spec = step.spec
        name = str(step.service.value if step.service is not None else spec.service)
        services = self.program.document.services
        service = self.layers.service(name, spec, services, self._resolve_setting)
        self.layers.require(service, spec, services)
        for key in service.secret:
            if isinstance(service.settings.get(key), str):
                service.settings[key] = self.secrets.add(service.settings[key])
        for value in service.settings.values():
            self.secrets.notice(value)
        return service

    def _resolve_setting(self, value: Any) -> Any:
        """A setting with its template resolved; it may read `env`, `secret` and `kv`, not the FlowContext."""
        if isinstance(value, dict):
            return {key: self._resolve_setting(item) for key, item in value.items()}
        if not isinstance(value, str) or "{" not in value:
            return value
        from flowdsl.template import compile, parse

        return compile(parse(value), strict=True, native=True, taint=True)({}, self.names)


async def execute(run: Run) -> dict[str, Any]:
    """The outputs of a program: runs its steps in order, within the deadline; tells about each step and the end.

    Raises:
        RunError: the first step that fails, with `step`, `path` and `span` filled in.
        LimitExceeded: the run took too long or had too many steps.
    """
    status = "failed"
    failure: RunError | None = None
    try:
        async with asyncio.timeout(run.limits.timeout_s):
            try:
                await run_steps(run.program.steps, run)
            except LimitExceeded:
                raise
            except RunError as error:
                if not await _handled(error, run):
                    raise
        outputs = _outputs(run)
        status = "done"
        return outputs
    except TimeoutError as error:
        failure = _too_long(run, run.interrupted)
        raise failure from error
    except asyncio.CancelledError:
        status = "cancelled"
        raise
    except RunError as error:
        failure = error
        raise
    finally:
        if run.emit is not None:
            run.emit(FlowFinished(status, run.now(), run.steps, run.cost, failure))


async def _handled(error: RunError, run: Run) -> bool:
    """Runs the flow's `onError` with the error in the FlowContext; whether it ended the run successfully."""
    if run.program.on_error is None:
        return False
    run.context[ERROR] = ErrorValue(error)
    return await run.block(run.program.on_error) is Signal.END


async def run_steps(steps: Sequence[CompiledStep], run: Run) -> Signal | None:
    """Runs steps in order, up to the first that gives a signal; gives that signal."""
    totals = run.totals
    emit, started, max_steps, timeout_s = run.emit, run.started, run.limits.steps, run.limits.timeout_s
    event = tuple.__new__  # what making a named tuple comes down to, in half the time
    for step in steps:
        if totals.steps >= max_steps:
            raise _limit(f"the run has more than {max_steps:,} steps", "too-many-steps", step)
        began = perf_counter() - started
        if timeout_s is not None and began > timeout_s:
            raise _too_long(run, step)  # not even a `finally` runs after the deadline
        if emit is not None:
            label = None if step.label is None else _label(step, run)
            emit(event(StepStarted, (step.name, step.path, began, label)))
        try:
            signal = step.execute(run)
            if signal is not None and signal.__class__ is not Signal:
                signal = await cast("Awaitable[Signal | None]", signal)
        except RunError as error:
            _failed(error, step, run, began)
            raise
        except asyncio.CancelledError:
            run.interrupted = run.interrupted or step
            raise
        except Exception as error:  # noqa: BLE001  the edge where a step's own exceptions are wrapped
            crash = StepError(f"{step.name} failed: {type(error).__name__}: {error}", code="step-crashed")
            crash.__cause__ = error
            _failed(crash, step, run, began)
            raise crash from crash.__cause__  # which is gone when it would show a secret
        totals.steps = count = totals.steps + 1
        now = perf_counter() - started
        if emit is not None:
            emit(event(StepFinished, (step.name, step.path, now, now - began, step.wrote)))
        if signal is not None:
            return signal
        if timeout_s is not None and now > timeout_s:
            raise _too_long(run, step)
        if count % BREATHER == 0:
            await asyncio.sleep(0)
    return None


def _printed(payload: Any) -> str:
    """A payload for people: its message when it has one, else the payload as JSON; nothing in it steers a terminal."""
    from flowdsl.template.json_text import stringify

    if isinstance(payload, Mapping) and "message" in payload:
        payload = payload["message"]
    text = payload if isinstance(payload, str) else str(stringify(payload))
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def _outputs(run: Run) -> dict[str, Any]:
    """What the flow's `outputs` give at the end; the FlowContext when it has none."""
    resolvers = run.program.outputs
    if resolvers is None:
        return run.context
    try:
        found = {name: resolve(run.context, run.names) for name, resolve in resolvers.items()}
    except RunError as error:
        _complete(error, "outputs", "outputs", None, run)
        raise
    marked: dict[str, Any] = run.secrets.marked(found)
    return marked


def _limit(message: str, code: str, step: CompiledStep | None) -> LimitExceeded:
    error = LimitExceeded(message, code=code)
    if step is not None:
        error.step, error.path, error.span = step.name, step.path, step.span
    return error


def _too_long(run: Run, step: CompiledStep | None) -> LimitExceeded:
    return _limit(f"the run took longer than {run.limits.timeout_s:g} s", "deadline", step)


def _label(step: CompiledStep, run: Run) -> str | None:
    """The label of a step; None when it has none, or when it fails, which is noted: the run does not depend on it."""
    if step.label is None:
        return None
    from flowdsl.template.values import to_text

    try:
        label = step.label(run.context, run.names)
    except TemplateError as error:
        if run.emit is not None:
            text = run.secrets.hide(f"the monitorLabel fails: {error.message}")
            run.emit(Note(step.name, step.path, run.now(), "label-failed", text))
        return None
    run.secrets.notice(label)
    shown: str = run.secrets.hide_in(to_text(label))
    return shown


def _failed(error: RunError, step: CompiledStep, run: Run, began: float) -> None:
    """Completes an error with its place, hides secrets in it, and tells about it."""
    _complete(error, step.name, step.path, step.span, run)
    if run.emit is not None:
        now = run.now()
        run.emit(StepFailed(step.name, step.path, now, now - began, error))


def _complete(error: RunError, step: str, path: str, span: Span | None, run: Run) -> None:
    if error.step is None:
        error.step, error.path = step, path
    error.span = error.span or span
    secrets = run.secrets
    if not secrets.seen:
        return
    secrets.notice(run.context)
    for name, value in vars(error).items():
        if name not in ("code", "step", "path") and isinstance(value, (str, dict, list)):
            setattr(error, name, secrets.hide_in(value))
    error.args = (error.message,)
    cause = error.__cause__
    while cause is not None:
        if secrets.hide(str(cause)) != str(cause):
            error.__cause__ = None
            break
        cause = cause.__cause__
