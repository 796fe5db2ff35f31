"""The one door for everything that is paid or written to the outside.

A step hands over what it is about to do, `await ctx.effect(key, request, perform)`, and the door decides: without one
the engine just performs. A door can keep a recording, replay one, count money or ask for leave, and knows no step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from flowdsl.events import Invocation
    from flowdsl.image.store import ImageStore

T = TypeVar("T")
Emission = tuple[str, tuple[Any, ...]]
"""What a step emitted while an effect was performed: the name of the method of its context, and the arguments."""
EMISSIONS: ContextVar[list[Emission] | None] = ContextVar("emissions", default=None)
"""Where that goes; each task of a step that performs several effects side by side has its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """Something that is about to happen outside: `key` names its kind (`image`, `http`, `file`, `emit`), `request` says
    as JSON values, without secrets, what is asked for.

    `store` is where the pictures of the run are. `emit` repeats what was emitted while an effect was performed. `hide`
    takes the secrets of the run out of a value: what comes of an effect may repeat them.
    """

    key: str
    request: Any
    run: str
    invocation: Invocation
    store: ImageStore
    emit: Callable[[Emission], None]
    hide: Callable[[Any], Any]


class Effects(Protocol):
    """A door: performs effects, or gives their results without performing them."""

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """The result of an effect; `act` performs it."""
        ...

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """The result of an effect that needs no waiting."""
        ...
