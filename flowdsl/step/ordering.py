"""An order that a service has taken to make later: kept, so that a further attempt of its run asks for it, and orders
nothing again."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Protocol


class Ordering(Protocol):
    """Keeps the order of one paid request. What is kept of it are JSON values, by which whoever sent it knows it
    again."""

    def earlier(self) -> Mapping[str, Any] | None:
        """The order of an earlier attempt, once; None where there is none."""
        ...

    async def keep(self, order: Mapping[str, Any]) -> None:
        """The service has taken an order, which is asked for from now on."""
        ...

    async def forget(self) -> None:
        """There is no order to ask for, or not any more: another is sent, or the service knows nothing of it."""
        ...


ORDERING: ContextVar[Ordering | None] = ContextVar("ordering", default=None)
"""What keeps the order of the request that is performed; None where nobody does."""
