"""Where templates draw lots: from the generator of the run when it has one, so that a run can be replayed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

GENERATOR: ContextVar[random.Random | None] = ContextVar("generator", default=None)
"""The generator of the run that goes on; None: any."""


def choice(items: Sequence[Any]) -> Any:
    """One of the items."""
    return (GENERATOR.get() or random).choice(items)
