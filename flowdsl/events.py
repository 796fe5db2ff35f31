"""The events of a run, emitted while it goes on: to one callback, or by an async iterator.

Every event names its run and the invocation it belongs to. Times are seconds since the run started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
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
        invocation = self.invocation
        yield "run", self.run
        yield "invocation", invocation.id
        yield "parent", None if invocation.parent is None else invocation.parent.id
        yield "iteration", invocation.iteration
        yield from (("step", invocation.step), ("path", invocation.path)) if invocation.step else ()
        for name in self.__dataclass_fields__:
            if name in PLACE:
                continue
            value = getattr(self, name)
            if isinstance(value, RunError):
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
class StepStarted(Invocation, _StepEvent):
    """A step begins; `label` is its monitorLabel, resolved. The event is the invocation that the later ones name."""

    run: str
    at_s: float
    label: str | None = None

    @property
    def invocation(self) -> Invocation:  # type: ignore[override]  # events are frozen: nobody writes it elsewhere either
        """The event itself."""
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished(_StepEvent):
    """A step is done and has written the FlowContext keys in `wrote`. Where it ended more than itself, `signal` says
    what: `break`, `continue`, `return` or `end`; the JSON form has it only then."""

    run: str
    invocation: Invocation
    at_s: float
    elapsed_s: float
    wrote: tuple[str, ...] = ()
    signal: str | None = None

    def _facts(self) -> Iterator[tuple[str, Any]]:
        found = _StepEvent._facts(self)
        return found if self.signal is not None else (pair for pair in found if pair[0] != "signal")


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
    """Something happens inside a step: `done` of `total` units, when they can be counted. Where an iteration of a loop
    begins, `item` is its index, from 0, and `text` what it is about."""

    run: str
    invocation: Invocation
    at_s: float
    text: str
    done: int | None = None
    total: int | None = None
    item: int | None = None


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
class RequestStarted(_StepEvent):
    """A paid request is about to be sent: `request` counts those of the run, from 1. What a listener raises at it ends
    the run, and neither this request nor the others of its step are sent. `images` is for how many pictures it asks,
    `most_usd` the most that it can cost with every time it may be sent again, None when nothing says what it costs."""

    run: str
    invocation: Invocation
    at_s: float
    request: int
    service: str
    vendor: str
    model: str | None
    images: int
    most_usd: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PartialImage(_StepEvent):
    """An unfinished picture of a paid request came: `request` is the number of the request, `index` that of the picture
    in its stream, from 0, `image` the stored `Image`. It is not among the pictures that the run made."""

    run: str
    invocation: Invocation
    at_s: float
    request: int
    index: int
    image: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedImage(_StepEvent):
    """One of several pictures that a step asked for is there, and others may not be yet: `request` is the number of its
    request, `image` the stored `Image`, `usage` the tokens and `quality` what it was made with, where the vendor says
    that of this picture alone."""

    run: str
    invocation: Invocation
    at_s: float
    request: int
    image: Mapping[str, Any]
    usage: Mapping[str, Any] | None = None
    quality: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFinished(_StepEvent):
    """A paid request has ended. Its `outcome` is `done`, `refused` (nothing is billed) or `unknown` (it may be done,
    and billed); `code` is the error's then. `images` is every picture that came, also of one that failed, `usage` the
    tokens as the vendor reports them, `cost_usd` None when nothing says what it cost, `attempts` how often it was
    sent."""

    run: str
    invocation: Invocation
    at_s: float
    request: int
    outcome: str
    elapsed_s: float
    attempts: int
    request_id: str | None = None
    usage: Mapping[str, Any] | None = None
    cost_usd: float | None = None
    images: tuple[Mapping[str, Any], ...] = ()
    code: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowFinished(_Event):
    """The run is over: `status` is `done`, `failed` or `cancelled`; `cost_usd` is None when nothing says what it
    cost. `images` is every picture that the run stored, `in_doubt` the number of requests whose work (a picture) a
    service may have done, and billed, without the run having it, `reused` how many paid requests a repetition did not
    send again, `failed` which step, in which iteration of which loops, failed or was interrupted.
    `tags` is what the host called the run.
    """

    run: str
    invocation: Invocation
    at_s: float
    status: str
    steps: int
    cost_usd: float | None = None
    error: RunError | None = None
    images: tuple[Mapping[str, Any], ...] = ()
    in_doubt: int = 0
    reused: int = 0
    failed: dict[str, Any] | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)


Event = (
    StepStarted
    | StepFinished
    | StepFailed
    | Progress
    | Note
    | Emitted
    | RequestStarted
    | PartialImage
    | FinishedImage
    | RequestFinished
    | FlowFinished
)
"""Everything a run emits."""


PLACE = {"run", "invocation", *(field.name for field in fields(Invocation))}
"""The fields that say where an event belongs, which all events have."""


# A frozen dataclass sets each field by a call, which makes it three times as dear as an ordinary object. The engine
# makes two of these for each step, and one for each iteration of a loop, so it fills an ordinary object with the same
# slots, and turns it into the frozen one.


class _StepStarted(Invocation, _StepEvent):
    __slots__ = ("at_s", "label", "run")
    __init__ = object.__init__
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__  # Python knows a fast way only when both are those of an object


class _StepFinished(_StepEvent):
    __slots__ = ("at_s", "elapsed_s", "invocation", "run", "signal", "wrote")


class _Progress(_StepEvent):
    __slots__ = ("at_s", "done", "invocation", "item", "run", "text", "total")


def step_started(
    run: str,
    id: int,
    parent: Invocation,
    step: str,
    path: str,
    iteration: int | None,
    at_s: float,
) -> StepStarted:
    """A StepStarted without a label, which the engine makes sooner than its constructor does."""
    event: Any = _StepStarted()
    event.run = run
    event.id = id
    event.parent = parent
    event.step = step
    event.path = path
    event.iteration = iteration
    event.at_s = at_s
    event.label = None
    event.__class__ = StepStarted
    return event  # type: ignore[no-any-return]


def step_finished(
    run: str, invocation: Invocation, at_s: float, elapsed_s: float, wrote: tuple[str, ...], signal: str | None = None
) -> StepFinished:
    """A StepFinished, which the engine makes sooner than its constructor does."""
    event: Any = _StepFinished()
    event.run = run
    event.invocation = invocation
    event.at_s = at_s
    event.elapsed_s = elapsed_s
    event.wrote = wrote
    event.signal = signal
    event.__class__ = StepFinished
    return event  # type: ignore[no-any-return]


def iteration_begun(
    run: str, invocation: Invocation, at_s: float, text: str, done: int, total: int, item: int
) -> Progress:
    """A Progress for the beginning of an iteration, which the engine makes sooner than its constructor does."""
    event: Any = _Progress()
    event.run = run
    event.invocation = invocation
    event.at_s = at_s
    event.text = text
    event.done = done
    event.total = total
    event.item = item
    event.__class__ = Progress
    return event  # type: ignore[no-any-return]
