"""The events of a run, emitted while it goes on: to one callback, or by an async iterator.

Every event names its run and the invocation it belongs to. Times are seconds since the run started.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from flowdsl.errors import RunError
from flowdsl.template.json_values import to_json

VERSION = 1
"""The version of the JSON form of events: it grows when a reader of the older form would be misled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """One time that a step runs: two iterations of a loop are two invocations of each step in it.

    `id` counts the invocations of a run in the order in which they start, `parent` is the one in whose block this one
    stands, `iteration` is that of the block, from 0 (None: it does not repeat). The flow itself is invocation
    0, without a step.
    """

    id: int
    parent: Invocation | None = field(default=None, repr=False)
    step: str = ""
    path: str = "flow"
    iteration: int | None = None

    @property
    def key(self) -> str:
        """The place with the iterations around it, the same in each run: `flow[1]/flow[1].do[0]#3`."""
        own = self.path if self.iteration is None else f"{self.path}#{self.iteration}"
        return own if self.parent is None or self.parent.parent is None else f"{self.parent.key}/{own}"


class _Event:
    """What all events can do."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]
    run: str
    invocation: Invocation

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON values; schemas/events.schema.json describes them."""
        return {"v": VERSION, "event": type(self).__name__, **dict(self._facts())}

    def _facts(self) -> Iterator[tuple[str, Any]]:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, Invocation):
                yield "invocation", value.id
                yield "parent", None if value.parent is None else value.parent.id
                yield "iteration", value.iteration
                yield from (("step", value.step), ("path", value.path)) if value.step else ()
            elif isinstance(value, RunError):
                yield name, value.to_dict()
            else:
                yield name, round(value, 6) if isinstance(value, float) else to_json(value)


class _StepEvent(_Event):
    __slots__ = ()

    @property
    def step(self) -> str:
        """The name of the step."""
        return self.invocation.step

    @property
    def path(self) -> str:
        """The place of the step in the flow, `flow[2]`."""
        return self.invocation.path


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStarted(_StepEvent):
    """A step begins; `label` is its monitorLabel, resolved."""

    run: str
    invocation: Invocation
    at_s: float
    label: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished(_StepEvent):
    """A step is done and has written the FlowContext keys in `wrote`."""

    run: str
    invocation: Invocation
    at_s: float
    elapsed_s: float
    wrote: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFailed(_StepEvent):
    """A step failed."""

    run: str
    invocation: Invocation
    at_s: float
    elapsed_s: float
    error: RunError


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress(_StepEvent):
    """Something happens inside a step: `done` of `total` units, when they can be counted."""

    run: str
    invocation: Invocation
    at_s: float
    text: str
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Note(_StepEvent):
    """Something the author or the host should know; the run goes on. `details` may hold figures."""

    run: str
    invocation: Invocation
    at_s: float
    code: str
    text: str
    details: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Emitted(_StepEvent):
    """Something for the host's sink: a notification, progress for people, an event of the author's own."""

    run: str
    invocation: Invocation
    at_s: float
    name: str
    payload: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowFinished(_Event):
    """The run is over: `status` is `done`, `failed` or `cancelled`; `cost_usd` is None when nothing says what it
    cost."""

    run: str
    invocation: Invocation
    at_s: float
    status: str
    steps: int
    cost_usd: float | None = None
    error: RunError | None = None


Event = StepStarted | StepFinished | StepFailed | Progress | Note | Emitted | FlowFinished
"""Everything a run emits."""


# A frozen dataclass sets each field by a call, which makes it five times as dear as an ordinary object. The engine
# makes three of these for each step, so it fills an ordinary object with the same slots, and turns it into the frozen
# one.


class _Invocation:
    __slots__ = ("id", "iteration", "parent", "path", "step")

    def __init__(self, id: int, parent: Invocation, step: str, path: str, iteration: int | None) -> None:
        self.id = id
        self.parent = parent
        self.step = step
        self.path = path
        self.iteration = iteration
        self.__class__ = Invocation  # type: ignore[assignment]  # the same slots


class _StepStarted(_StepEvent):
    __slots__ = ("at_s", "invocation", "label", "run")

    def __init__(self, run: str, invocation: Invocation, at_s: float, label: str | None) -> None:
        self.run = run
        self.invocation = invocation
        self.at_s = at_s
        self.label = label
        self.__class__ = StepStarted  # type: ignore[assignment]  # the same slots


class _StepFinished(_StepEvent):
    __slots__ = ("at_s", "elapsed_s", "invocation", "run", "wrote")

    def __init__(self, run: str, invocation: Invocation, at_s: float, elapsed_s: float, wrote: tuple[str, ...]) -> None:
        self.run = run
        self.invocation = invocation
        self.at_s = at_s
        self.elapsed_s = elapsed_s
        self.wrote = wrote
        self.__class__ = StepFinished  # type: ignore[assignment]  # the same slots


make_invocation: Any = _Invocation
make_step_started: Any = _StepStarted
make_step_finished: Any = _StepFinished
