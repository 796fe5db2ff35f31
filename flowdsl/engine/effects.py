"""The one door for everything that is paid or written to the outside.

A step hands over what it is about to do, `await ctx.effect(key, request, perform)`, and the door decides: without one
the engine just performs. A door can keep a recording, replay one, count money or ask for leave, and knows no step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.document.document import Document
    from flowdsl.events import Invocation
    from flowdsl.image.store import ImageStore
    from flowdsl.limits import Budget, Pace
    from flowdsl.step.sending import Sending

T = TypeVar("T")
Emission = tuple[str, tuple[Any, ...]]
"""What a step emitted while an effect was performed: the name of the method of its context, and the arguments."""
EMISSIONS: ContextVar[list[Emission] | None] = ContextVar("emissions", default=None)
"""Where that goes; each task of a step that performs several effects side by side has its own."""
ALL_CAME: ContextVar[Callable[[str], None] | None] = ContextVar("all came", default=None)
"""What is told by the door of a journal, with the path of a step, that all came that is paid and under way in a run,
before that is written down."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """Something that is about to happen outside: `key` names its kind (`image`, `http`, `file`, `emit`), `request` says
    as JSON values, without secrets, what is asked for.

    `most_usd` is what it can cost at most, where that is known. `store` is where the pictures of the run are. `emit`
    repeats what was emitted while an effect was performed. `hide` takes the secrets of the run out of a value: what
    comes of an effect may repeat them. `id`, where a journal knows it, tells a paid request from all others, in each
    attempt of its run. `sending` says of a paid request that may wait whether it is on its way; without one it is from
    when it is performed.
    """

    key: str
    request: Any
    run: str
    invocation: Invocation
    store: ImageStore
    emit: Callable[[Emission], None]
    hide: Callable[[Any], Any]
    most_usd: float | None = None
    id: str | None = None
    sending: Sending | None = None

    def note(self, code: str, text: str) -> None:
        """Emits a note as one of the step."""
        self.emit(("note", (code, text, None)))


class Recovered(NamedTuple):
    """The result of a paid request that an earlier attempt of the run has made, what it cost (None: nobody knows), and
    the files of its pictures with names for people, by the path of the bytes as they came: none where nobody noted one.
    Those in `listed` stand in the manifest. One that `is_shared` was made for an equal request elsewhere, and costs
    nothing here."""

    result: Any
    cost_usd: float | None
    files: Mapping[str, Sequence[str]]
    listed: frozenset[str]
    is_shared: bool = False


ASKED = Recovered(None, None, {}, frozenset())
"""In place of a result: what an earlier attempt has asked for is asked for again and not made again, so what it can
cost is set aside already."""


class Effects(Protocol):
    """A door: performs effects, or gives their results without performing them."""

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """The result of an effect; `act` performs it."""
        ...

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """The result of an effect that needs no waiting."""
        ...


def passes(door: Effects | None, effect: Effect) -> bool:
    """Whether a step itself sends a request behind a door, or where there is none: then its `sending` knows whether it
    is on its way. A door that has steps send some of their requests as if it were not there says so of each, in
    `passes(effect)`."""
    passing = getattr(door, "passes", None)  # asked with each request, of which `isinstance` would make much
    return door is None or (passing is not None and bool(passing(effect)))


@runtime_checkable
class Asking(Effects, Protocol):
    """A door behind that of a journal which knows itself what becomes of some requests: performed again with the same
    `Effect.id`, they are not made again. They may cost less than others."""

    def order(self, effect: Effect) -> str | None:
        """Where that is known of a request; None for one of which it is not. A later door that says the same knows what
        became of it."""
        ...

    def share(self, effect: Effect) -> float:
        """The share of its price that a paid request costs this way: 1, or less through the vendor's batch."""
        ...


@runtime_checkable
class Journaling(Effects, Protocol):
    """A door that keeps what is paid for, so that a further attempt of the run does not pay for it again."""

    @property
    def as_of(self) -> date:
        """The day that the run takes for today: that of its first attempt."""
        ...

    @property
    def budget(self) -> Budget | None:
        """What this run and others may spend together, beside what it may spend itself."""
        ...

    @property
    def pace(self) -> Pace | None:
        """How fast services may be asked, by all who share the journal; None: as fast as each run may."""
        ...

    def spent(self) -> tuple[int, float]:
        """How many paid requests the run has made in earlier attempts, and what they cost at most, in USD."""
        ...

    def before(self, effect: Effect) -> Recovered | None:
        """What an earlier attempt of the run has for a paid request; None when it is to be made, `ASKED` where it is
        made elsewhere and asked for again.

        Raises:
            RunError: it was made, and nobody knows what became of it, or its pictures are gone.
        """
        ...

    def named(self, original: str, file: str) -> None:
        """A picture has got a file with a name for people."""
        ...

    def listed(self) -> None:
        """The pictures of the run stand in the manifest."""
        ...

    def end(self, status: str, error: BaseException | None) -> None:
        """The run has ended: `done`, `failed` or `cancelled`."""
        ...

    async def ended(self) -> None:
        """Waits until that is written: whoever looks after the run sees how it ended. It is not called where nobody can
        wait any more."""
        ...


class Began(NamedTuple):
    """A run that begins, for its journal. `inputs` are without secrets; `hidden` names those that held one. `hide`
    takes the secrets of the run out of a value. `batch` and `record` are those of a record of a batch: where a run of
    its id was there before, it goes on with what it has bought, also where it is done.
    """

    run: str
    document: Document
    inputs: Mapping[str, Any]
    hidden: Sequence[str]
    tags: Mapping[str, str]
    as_of: date
    hide: Callable[[Any], Any]
    batch: str | None = None
    record: int | None = None


class Journal(Protocol):
    """Keeps runs, also those of the records of a batch: `flow.run(journal=…)`, `flowdsl.batch(journal=…)`."""

    def door(self, began: Began, inner: Effects | None) -> Journaling:
        """The door of one run; `inner` performs what it lets through.

        Raises:
            UsageError: a run of that id has ended, and is no record of a batch, or goes on in another process.
        """
        ...
