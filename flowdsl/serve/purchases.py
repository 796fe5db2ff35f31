"""What a request buys, and whether any of it is on its way to a service: that is told when the gateway ends at once,
and what only waits for its turn is given up when nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from flowdsl.errors import ConfigError, ServiceError
from flowdsl.events import Event, FlowFinished, RequestFinished
from flowdsl.journal.rows import PAID

if TYPE_CHECKING:
    from flowdsl.engine.effects import Effect
    from flowdsl.step.sending import Sending

T = TypeVar("T")


class Purchases:
    """What the runs of a request buy: a door of theirs that lets everything through, or what hears their events.
    `is_charged`: something was bought, or may be done and billed."""

    def __init__(self) -> None:
        self.is_charged = False
        self.is_bought = False
        """Whether all of it was bought before: a run that only finds that ends at once, and is not to be broken off."""
        self._performed: list[Sending | None] = []

    @property
    def is_begun(self) -> bool:
        """Whether something was bought, or is on its way."""
        return self.is_charged or self.is_bought or any(_is_out(each) for each in self._performed)

    def passes(self, effect: Effect) -> bool:
        """Steps send their requests as if there were no door."""
        return effect.sending is not None

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """The result of an effect."""
        if effect.key != PAID:
            return await act()
        self._performed.append(effect.sending)
        try:
            result = await act()
        except (ConfigError, ServiceError) as error:
            self.is_charged |= error.charge_possible
            raise
        except BaseException:
            self.is_charged |= _is_out(effect.sending)
            raise
        finally:
            self._performed.remove(effect.sending)
        self.is_charged = True
        return result

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """The result of an effect that needs no waiting."""
        return act()

    def hear(self, event: Event) -> None:
        """Hears an event of a run."""
        if isinstance(event, RequestFinished):
            self.is_charged |= event.outcome != "refused"
        elif isinstance(event, FlowFinished):
            self.is_charged |= event.in_doubt > 0


def _is_out(sending: Sending | None) -> bool:
    return sending is None or sending.is_out
