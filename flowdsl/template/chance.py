"""Where templates draw lots: from the generator of the run when it has one, so that a run can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

GENERATOR: ContextVar[Callable[[], Random] | None] = ContextVar("generator", default=None)
"""Gives the generator of the run that goes on, the same each time; None: any."""


def choice(items: Sequence[Any]) -> Any:
    """One of the items."""
    import random

    own = GENERATOR.get()
    return (random if own is None else own()).choice(items)
