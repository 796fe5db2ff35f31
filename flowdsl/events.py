"""What a run tells while it goes: one callback, or an async iterator, of these.

Times are seconds since the run started. `path` is the place of the step in the flow (`flow[2]`), `step` its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from flowdsl.errors import RunError


class StepStarted(NamedTuple):
    """A step begins; `label` is its monitorLabel, resolved."""

    step: str
    path: str
    at_s: float
    label: str | None = None


class StepFinished(NamedTuple):
    """A step is done and has written the FlowContext keys in `wrote`."""

    step: str
    path: str
    at_s: float
    elapsed_s: float
    wrote: tuple[str, ...] = ()


class StepFailed(NamedTuple):
    """A step failed."""

    step: str
    path: str
    at_s: float
    elapsed_s: float
    error: RunError


class Progress(NamedTuple):
    """Something happens inside a step: `done` of `total` units, when they can be counted."""

    step: str
    path: str
    at_s: float
    text: str
    done: int | None = None
    total: int | None = None


class Note(NamedTuple):
    """Something the author or the host should know; the run goes on. `details` may hold figures."""

    step: str
    path: str
    at_s: float
    code: str
    text: str
    details: dict[str, Any] | None = None


class Emitted(NamedTuple):
    """Something for the host's sink: a notification, progress for people, an event of the author's own."""

    step: str
    path: str
    at_s: float
    name: str
    payload: Any


class FlowFinished(NamedTuple):
    """The run is over: `status` is `done`, `failed` or `cancelled`; `cost_usd` is None when nothing says what it
    cost."""

    status: str
    at_s: float
    steps: int
    cost_usd: float | None = None
    error: RunError | None = None


Event = StepStarted | StepFinished | StepFailed | Progress | Note | Emitted | FlowFinished
"""Everything a run tells."""
