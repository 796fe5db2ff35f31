"""Test doubles for people who write steps: run one step without a flow, or record the events of a run."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar, cast

from flowdsl.engine.execute import Resources
from flowdsl.errors import UsageError
from flowdsl.events import Event
from flowdsl.image.store import ImageStore
from flowdsl.limits import Limits
from flowdsl.step.block import Block
from flowdsl.step.service import Service
from flowdsl.step.signals import Signal
from flowdsl.step.step import Branch, Step, StepContext, spec_of

T = TypeVar("T")


class StubContext:
    """A StepContext over plain values that remembers what the step said.

    `flow_context` is what the step can read; `progressed`, `notes`, `spent` and `emitted` collect its calls. `deferred`
    holds the options that the step resolves itself: values, or functions of the names it gives. Steps that run blocks
    are tested in a flow.
    """

    def __init__(
        self,
        flow_context: Mapping[str, Any] | None = None,
        *,
        service: Service | None = None,
        images: str = "flowdsl-images",
        outputs: tuple[str, ...] = (),
        limits: Limits | None = None,
        output: str = "flowdsl-output",
        deferred: Mapping[str, Any] | None = None,
    ) -> None:
        self.step = "STEP"
        self.path = "flow[0]"
        self.id: str | None = None
        self.flow_context: dict[str, Any] = dict(flow_context or {})
        self.deferred = dict(deferred or {})
        self.given: frozenset[str] = frozenset()
        self.templated: frozenset[str] = frozenset()
        self.inputs: tuple[str, ...] = ()
        self.outputs = outputs
        self.limits = limits or Limits()
        self.service = service or Service("stub", {})
        self.store = ImageStore(images)
        self.output_folder = Path(output).absolute()
        self.progressed: list[tuple[str, int | None, int | None]] = []
        self.notes: list[tuple[str, str, dict[str, Any] | None]] = []
        self.spent: list[float | None] = []
        self.emitted: list[tuple[str, Any]] = []
        self.resources = Resources()

    def input(self, type: str) -> Any:
        """The FlowContext value of that name."""
        return self.flow_context.get(type)

    def progress(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Remembers the call."""
        self.progressed.append((text, done, total))

    def note(self, code: str, text: str, details: dict[str, Any] | None = None) -> None:
        """Remembers the call."""
        self.notes.append((code, text, details))

    def spend(self, usd: float | None) -> None:
        """Remembers the call."""
        self.spent.append(usd)

    def write(self, key: str, value: Any) -> None:
        """Sets a key of `flow_context`."""
        self.flow_context[key] = value

    def emit(self, name: str, payload: Any) -> None:
        """Remembers the call."""
        self.emitted.append((name, payload))

    def evaluate(self, key: str, names: Mapping[str, Any] | None = None) -> Any:
        """The option of that name among `deferred`; None when it is not there."""
        value = self.deferred.get(key)
        return value(names or {}) if callable(value) else value

    def run_block(self, block: Block | None) -> Awaitable[Signal | None]:
        """Raises UsageError: blocks need an engine."""
        raise _needs_a_flow()

    def branch(self) -> Branch:
        """Raises UsageError: blocks need an engine."""
        raise _needs_a_flow()

    def call_flow(self, *, name: str | None = None, ref: str | None = None) -> Awaitable[Signal | None]:
        """Raises UsageError: called flows need an engine."""
        raise _needs_a_flow()

    async def resource(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """Opens a shared thing; `run_step` closes it."""
        return await self.resources.get(key, open)


def run_step(step: Step, context: StubContext | None = None) -> dict[str, Any]:
    """What a step returns when it runs with a context, by output type; waits for an async `run`."""
    stub = context or StubContext()
    stub.step = spec_of(type(step)).name
    stub.given = frozenset(step.model_fields_set) | frozenset(stub.deferred)
    return asyncio.run(_run(step, stub))


async def _run(step: Step, stub: StubContext) -> dict[str, Any]:
    context = cast(StepContext, stub)  # it runs no blocks and calls no flows
    async with stub.resources:
        written = step.run(context)
        if inspect.isawaitable(written):
            written = await written
        return {} if written is None or isinstance(written, Signal) else dict(written)


def _needs_a_flow() -> UsageError:
    return UsageError("a StubContext runs no other steps: test a step with blocks in a flow")


class Recorder:
    """An `on_event` callback that keeps the events: `flow.run(on_event=Recorder())`."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def names(self) -> list[str]:
        """The kinds of the events, in order."""
        return [type(event).__name__ for event in self.events]
