"""What the door of a run needs of the journal behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from flowdsl.journal.database import Database
    from flowdsl.journal.sharing import Sharing
    from flowdsl.limits import Budget


class Keeper(Protocol):
    """What a door needs of its journal."""

    simulated: bool
    given: Mapping[str, Any]
    wrote: bool
    budget: Budget | None

    @property
    def database(self) -> Database:
        """The file."""
        ...

    def spare(self, usd: float) -> None:
        """A request was not paid for, as an equal one had been, which cost so much."""
        ...

    def take(self, run: str) -> None:
        """A run begins to pay."""
        ...

    def let_go(self, run: str) -> None:
        """A run has ended."""
        ...

    def sharing(self, run: str) -> Sharing | None:
        """What equal requests share; None where each is bought."""
        ...
