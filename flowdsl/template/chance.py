"""Where templates draw lots: from the generator of the run when it has one, so that a run can be replayed."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

GENERATOR: ContextVar[Random | None] = ContextVar("generator", default=None)
"""The generator of the run that goes on; None: any."""


def choice(items: Sequence[Any]) -> Any:
    """One of the items."""
    import random

    return (GENERATOR.get() or random).choice(items)
