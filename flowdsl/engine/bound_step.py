"""An ordinary step, bound to its place: resolve its options, check them, run it, write what it returns."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol, cast

from flowdsl.engine.context_size import HOLDING, SIZED, UNCOUNTED
from flowdsl.engine.flow_step import FlowStep
from flowdsl.engine.frame import Frame
from flowdsl.engine.in_thread import in_thread
from flowdsl.engine.resolvers import config_error, is_constant, plain_option
from flowdsl.engine.unfinished import misused, settle
from flowdsl.errors import ConfigError, StepError
from flowdsl.events import Note
from flowdsl.step.compiling import Resolver
from flowdsl.step.flow_shapes import Loop, Parallel
from flowdsl.step.models import ValidationError
from flowdsl.step.problem import Problem
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.signals import Signal
from flowdsl.step.spec import BLOCK_TYPES, StepSpec
from flowdsl.template.taint import holds_secret

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.step.service import Service
    from flowdsl.step.step import Step, Written
    from flowdsl.syntax.node import Node


HELD_S = 0.1
"""A plain step that takes longer than this on the event loop is named in a note."""


class Placed(Protocol):
    """What a step is bound to: its node, and the resolvers of its options."""

    @property
    def step(self) -> StepNode:
        """The step at its place."""
        ...

    @property
    def of_host(self) -> bool:
        """Whether the step is one that the host added."""
        ...

    def resolver(self, name: str) -> Resolver:
        """The resolver of an option that is present."""
        ...


class BoundStep:
    """An ordinary step at its place in a flow."""

    def __init__(self, cls: type[Step], placed: Placed) -> None:
        self.cls = cls
        self.step: StepNode = placed.step
        self.spec: StepSpec = placed.step.spec
        self.blocking = bool(cls.declared.get("blocking"))
        self.is_watched = cls.declared.get("blocking") is None and placed.of_host
        self.given = frozenset(name for name, node in self.step.keys.items() if not _is_null(node))
        self.outputs = tuple(port.type for port in self.step.outputs)
        self.inputs = tuple(port.type for port in self.step.inputs)
        self.templated = frozenset(name for name, node in self.step.keys.items() if not is_constant(node))
        self.resolvers: dict[str, Resolver] = {}
        self.deferred: dict[str, Resolver] = {}
        self.deferred_given: dict[str, Any] = {}
        for name, node in self.step.keys.items():
            key = self.spec.keys.get(name)
            if key is not None and key.deferred:
                self.deferred[name] = placed.resolver(name)
                self.deferred_given[name] = node.plain() if is_constant(node) else UNKNOWN
            else:
                self.resolvers[name] = placed.resolver(name)
        item, index = self.step.item(), self.step.index()
        self.is_loop = isinstance(self.spec.flow, Loop)
        self.is_parallel = isinstance(self.spec.flow, Parallel)
        self.loop = None if item is None else (item[0], index[0] if index is not None else "")
        dynamic = any(not self._is_fixed(name, node) for name, node in self.step.keys.items())
        self.ready: Step | None = None
        if not dynamic and self.spec.service is None:
            self.ready = self.config({name: resolve({}, {}) for name, resolve in self.resolvers.items()}, None, None)

    def _is_fixed(self, name: str, node: Node) -> bool:
        """Whether an option has the same value each time."""
        key = self.spec.keys.get(name)
        if key is None or not (key.verbatim or key.deferred or key.type in BLOCK_TYPES):
            return is_constant(node) and not (key is not None and key.expression)
        return True

    def execute(self, frame: Frame) -> Awaitable[Signal | None] | Signal | None:
        """Runs the step; returns an awaitable when its `run` is async."""
        running = FlowStep(self, frame)
        config = self.ready
        if config is None:
            values = {}
            check_time = frame.check_time
            for name, resolve in self.resolvers.items():
                value = resolve(frame.context, frame.names)
                values[name] = self.read_text(name, value)
                if check_time is not None:
                    check_time()
            running.hear(values)
            running.options = values
            config = self.config(values, running.service if self.spec.service is not None else None, frame)
        if self.blocking:
            return self.finish(frame, running, in_thread(config, running))
        began = perf_counter() if self.is_watched else 0.0
        try:
            result = config.run(running)
        except BaseException as error:
            if running.is_idle:
                running.is_ended = True
                raise
            result = _failing(error)
        if self.is_watched and frame.run.emit is not None and (held_s := perf_counter() - began) > HELD_S:
            _note_held(self.spec.name, held_s, frame)
        if inspect.isawaitable(result):
            return self.finish(frame, running, result)
        if running.block is not None and not running.is_idle:
            return self.finish(frame, running, _given(result))
        running.is_ended = True
        return self.write(frame, running.marked(result))

    async def finish(self, frame: Frame, running: FlowStep, result: Awaitable[Written]) -> Signal | None:
        """Waits for an async `run`, and for what it has left running, and writes what it returns.

        A `run` that caught its cancellation and went on is heard to its end, and then the cancellation counts.
        """
        outer = frame.around
        task = asyncio.current_task()
        asked = task.cancelling() if task is not None else 0
        if self.loop is not None:
            frame.around = (*outer, self.loop)
        try:
            written = await result
            if (running.block is not None or running.in_branches or running.acting) and not running.is_idle:
                await settle(running, stop=False)
        except GeneratorExit:  # nobody runs this any more
            raise
        except BaseException as error:
            if not running.is_idle:
                with suppress(StepError):
                    await settle(running, stop=not isinstance(error, Exception))
            raise
        finally:
            frame.around = outer
            running.is_ended = True
        signal = await _ended(self.write(frame, running.marked(written)))
        if task is not None and task.cancelling() > asked:
            raise asyncio.CancelledError
        return signal

    def evaluate(self, key: str, names: Mapping[str, Any] | None, frame: Frame) -> Any:
        """The value of an option that the step resolves itself; None when it is absent.

        Raises:
            ConfigError: the value breaks a constraint of its key.
        """
        resolve = self.deferred.get(key)
        if resolve is None:
            return None
        known = frame.names if names is None else {**frame.names, **names}
        value = self.read_text(key, resolve(frame.context, known))
        if value.__class__ in SIZED and (len(value) > UNCOUNTED or value.__class__ in HOLDING):
            frame.run.size.grow(value)
        constraints = self.spec.keys[key]  # those of an expression speak of its text, not of its value
        problem = None if value is None or constraints.expression else constraints.problem(value)
        if problem is not None:
            raise self.config_error(problem)
        return value

    def read_text(self, name: str, value: Any) -> Any:
        """A text that a template made, read as a plain YAML scalar where the key is a number or a boolean."""
        key = self.spec.keys.get(name)
        return value if key is None else plain_option(key, value, templated=name in self.templated)

    def config(self, values: dict[str, Any], service: Service | None, frame: Frame | None) -> Step:
        """The options as the step's frozen model.

        Raises:
            ConfigError: an option that breaks a rule.
        """
        given = {**values, **self.deferred_given} if self.deferred else values
        options = Options(self.spec.name, given, self.spec.defaults, service)
        if frame is not None:
            options.as_of = frame.run.as_of
            options.reads_text = self.input(frame, "text") is not None
            if self.spec.reads_files:
                options.project_file = partial(frame.run.project_file, at=self.step.node.span)
        found = self.spec.problems(options)
        for problem in found:
            if problem.severity == "error":
                raise self._all_of([problem, *(each for each in found if each.severity == "error")], values)
            if frame is not None and (
                problem.key is None or not is_constant(self.step.keys.get(problem.key, self.step.node))
            ):
                _note(problem, frame)
        fields = {key.field: values[name] for name, key in self.spec.keys.items() if values.get(name) is not None}
        fields.update({name: value for name, value in values.items() if name not in self.spec.keys})
        try:
            return self.cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise self.config_error(
                Problem("invalid-option", f"`{place}`: {first['msg']}", key=place.partition(".")[0])
            ) from None

    def _all_of(self, problems: Sequence[Problem], values: Mapping[str, Any]) -> ConfigError:
        """The exception for everything that is wrong with the options: for the first, which says the others too."""
        first, *others = (self.config_error(each, holds_secret(values.get(each.key or ""))) for each in problems)
        for each in others:
            first.message += f"; and {each.message}{f' ({each.hint})' if each.hint else ''}"
        return first

    def config_error(self, problem: Problem, secret: bool = False) -> ConfigError:
        """The exception for a problem, with its place; no hint when it could reveal a secret."""
        return config_error(self.step, problem, secret=secret)

    def input(self, frame: Frame, type: str) -> Any:
        """The value of an input type; None when unset."""
        path = next((port.name for port in self.step.inputs if port.type == type), type)
        value: Any = frame.context
        for part in path.split("."):
            if isinstance(value, Mapping):
                value = value.get(part)
            elif isinstance(value, (list, tuple)) and part.isdecimal():
                value = value[int(part)] if int(part) < len(value) else None
            else:
                return None
        return value

    def write(self, frame: Frame, result: Written) -> Awaitable[Signal | None] | Signal | None:
        """Writes what the step returned to the FlowContext, or passes on the signal it returned; an awaitable when its
        pictures have to be named first."""
        pictures = frame.run.pictures
        if pictures is not None and pictures.open and (naming := pictures.close(frame)) is not None:
            return self._written_after(naming, frame, result)
        return self._written(frame, result)

    async def _written_after(self, naming: Awaitable[None], frame: Frame, result: Written) -> Signal | None:
        await naming
        return self._written(frame, result)

    def _written(self, frame: Frame, result: Written) -> Signal | None:
        if isinstance(result, Signal):
            if self.is_loop and result.beyond_loop is None:
                raise misused(
                    self.spec.name, f"gave {result.name}, which ends at the loop itself", "return `signal.beyond_loop`"
                )
            return result
        if result is None:
            return None
        if not isinstance(result, Mapping):
            raise _no_map(self.spec, result)
        written = frame.run.secrets.marked(dict(result))
        declared = [port.type for port in self.spec.outputs]
        for type in written:
            if type not in declared:
                raise StepError(
                    f"{self.spec.name} returned `{type}`, which is not among its outputs",
                    hint=f"declare it: outputs={(*declared, type)!r}",
                )
        if self.step.outputs:
            for port in self.step.outputs:
                if port.type in written:
                    frame.put(port.name, written[port.type])
            return None
        for index, port_of_spec in enumerate(self.spec.outputs):
            if port_of_spec.type in written and not port_of_spec.optional:
                frame.put(self.key_of(index, port_of_spec.type), written[port_of_spec.type])
        return None

    def key_of(self, index: int, type: str) -> str:
        """The FlowContext key of an output."""
        if index == 0 and self.spec.writes_to is not None:
            node = self.step.keys.get(self.spec.writes_to)
            return str(node.value if node is not None else self.spec.keys[self.spec.writes_to].default)
        return type


def _note_held(name: str, held_s: float, frame: Frame) -> None:
    """Emits, once in a run for each step of the host, that nothing else could go on while it ran."""
    run = frame.run
    if run.emit is None or name in run.held:
        return
    run.held.add(name)
    text = (
        f"{name} held the event loop for {held_s:.1f} s, in which nothing else went on: write `async def run`, or "
        "`blocking=True` on its class, which runs it in a thread (`blocking=False` says that it is meant so)"
    )
    run.keep_note("loop-held", text)
    run.emit(Note(run=run.id, invocation=frame.invocation, at_s=run.now(), code="loop-held", text=text))


def _note(problem: Problem, frame: Frame) -> None:
    run = frame.run
    text = run.secrets.hide(problem.message)
    run.keep_note(problem.code, text)
    if run.emit is not None:
        run.emit(Note(run=run.id, invocation=frame.invocation, at_s=run.now(), code=problem.code, text=text))


def _is_null(node: Node) -> bool:
    return node.kind == "scalar" and node.value is None


def _no_map(spec: StepSpec, result: object) -> StepError:
    kind = type(result).__name__
    found = {"str": "a text", "list": "a list", "tuple": "a list"}.get(kind, f"a value of type {kind}")
    example = next((port.type for port in spec.outputs), "text")
    return StepError(
        f"{spec.name} returned {found}; return a map from output type to value", hint=f"for example {{{example!r}: …}}"
    )


async def _failing(error: BaseException) -> Written:
    raise error


async def _given(result: Written) -> Written:
    return result


async def _ended(written: Awaitable[Signal | None] | Signal | None) -> Signal | None:
    return await written if isinstance(written, CoroutineType) else cast("Signal | None", written)
