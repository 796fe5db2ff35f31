"""One step without a flow: what it returns, and what it emits meanwhile."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Mapping
from datetime import date
from typing import Any, cast

from flowdsl.document.document import Document
from flowdsl.engine.context import RunningStep
from flowdsl.engine.effects import Effects
from flowdsl.engine.frame import Frame
from flowdsl.engine.program import Program
from flowdsl.engine.resources import Resources
from flowdsl.engine.secrets import Secrets
from flowdsl.engine.state import Run
from flowdsl.errors import UsageError
from flowdsl.events import Emitted, Event, Note, Progress
from flowdsl.host import Host, OpenTransport
from flowdsl.image.store import ImageStore
from flowdsl.limits import Limits
from flowdsl.services import ServiceLayers
from flowdsl.step.block import Block
from flowdsl.step.service import Service
from flowdsl.step.signals import Signal
from flowdsl.step.step import Step, spec_of
from flowdsl.step.step_context import Branch


class StubContext(RunningStep):
    """A StepContext over plain values that remembers what the step emitted: the engine's own, without a flow around it.

    `flow_context` is what the step can read; `progressed`, `notes`, `spent` and `emitted` collect its calls. `deferred`
    holds the options that the step resolves itself: values, or functions of the names it gives. `effects` is a door for
    what it does outside, `transport` opens the transport by which it sends. Steps that run blocks are tested in a flow.
    """

    def __init__(
        self,
        flow_context: Mapping[str, Any] | None = None,
        *,
        service: Service | None = None,
        images: str | os.PathLike[str] = "flowdsl-images",
        outputs: tuple[str, ...] = (),
        limits: Limits | None = None,
        output: str | os.PathLike[str] = "flowdsl-output",
        deferred: Mapping[str, Any] | None = None,
        effects: Effects | None = None,
        transport: OpenTransport | None = None,
    ) -> None:
        run = Run(
            _NOTHING,
            host=Host(),
            names={},
            secrets=Secrets(lambda name: None),
            layers=ServiceLayers(environ={}),
            limits=limits or Limits(),
            store=ImageStore(images),
            resources=Resources(),
            as_of=date.today(),
            output=os.fspath(output),
            emit=self._remember,
            effects=effects,
            transport=transport,
        )
        super().__init__(Frame(run, dict(flow_context or {})))
        self.step, self.path, self.id = "STEP", "flow[0]", None
        self.given = self.templated = frozenset()
        self.inputs, self.outputs = (), outputs
        self.deferred = dict(deferred or {})
        self.service = service or Service("stub", {})
        self.progressed: list[tuple[str, int | None, int | None]] = []
        self.notes: list[tuple[str, str, dict[str, Any] | None]] = []
        self.spent: list[float | None] = []
        self.emitted: list[tuple[str, Any]] = []

    def input(self, type: str) -> Any:
        """The FlowContext value of that name."""
        return self.flow_context.get(type)

    def spend(self, usd: float | None) -> None:
        """Remembers the call."""
        super().spend(usd)
        self.spent.append(usd)

    def evaluate(self, key: str, names: Mapping[str, Any] | None = None) -> Any:
        """The option of that name among `deferred`; None when it is not there."""
        value = self.deferred.get(key)
        return value(names or {}) if callable(value) else value

    def run_block(self, block: Block | None, *, iteration: int | None = None) -> Awaitable[Signal | None]:
        """Raises UsageError: blocks need an engine."""
        raise _needs_a_flow()

    def branch(self) -> Branch:
        """Raises UsageError: blocks need an engine."""
        raise _needs_a_flow()

    def call_flow(self, *, name: str | None = None, ref: str | None = None) -> Awaitable[Signal | None]:
        """Raises UsageError: called flows need an engine."""
        raise _needs_a_flow()

    def _remember(self, event: Event) -> None:
        match event:
            case Progress(text=text, done=done, total=total):
                self.progressed.append((text, done, total))
            case Note(code=code, text=text, details=details):
                self.notes.append((code, text, details))
            case Emitted(name=name, payload=payload):
                self.emitted.append((name, payload))

    def _begin(self, step: Step) -> Resources:
        """Takes the name of a step and the keys it was given; what it shares with others is closed by the caller."""
        spec = spec_of(type(step))
        self.step = spec.name
        fields = {key.field: name for name, key in spec.keys.items()}
        self.given = frozenset(fields.get(field, field) for field in step.model_fields_set) | frozenset(self.deferred)
        return self._frame.run.resources


def _no_class(name: str) -> type[Step]:
    raise LookupError(name)


def _no_option(step: object, name: str) -> Any:
    raise LookupError(name)


_NOTHING = Program(cast(Document, None), (), None, None, None, lambda steps: (), _no_class, _no_option)
"""The program of a step alone: nothing reads its document."""


def run_step(step: Step, context: StubContext | None = None) -> dict[str, Any]:
    """What a step returns when it runs with a context, by output type; waits for an async `run`.

    Raises:
        UsageError: called while an event loop runs; use `arun_step` there.
    """
    if asyncio._get_running_loop() is None:  # no exception, which would be the context of whatever the step raises
        return asyncio.run(arun_step(step, context))
    raise UsageError("an event loop is running here: use `await arun_step(...)`")


async def arun_step(step: Step, context: StubContext | None = None) -> dict[str, Any]:
    """`run_step` for a running event loop."""
    stub = context or StubContext()
    async with stub._begin(step):
        written = step.run(stub)
        if inspect.isawaitable(written):
            written = await written
        return {} if written is None or isinstance(written, Signal) else dict(written)


def _needs_a_flow() -> UsageError:
    return UsageError("a StubContext runs no other steps: test a step with blocks in a flow")
