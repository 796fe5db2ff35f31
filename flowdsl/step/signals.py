"""Signals: how a step ends more than itself. They are returned, never raised."""

from __future__ import annotations

from enum import Enum


class Signal(Enum):
    """What a block passes up instead of going on with its next step."""

    BREAK = "break"
    """Leave the innermost loop."""
    CONTINUE = "continue"
    """Go on with the next iteration of the innermost loop."""
    RETURN = "return"
    """Leave the innermost called flow."""
    END = "end"
    """End the run, successfully."""

    @property
    def beyond_loop(self) -> Signal | None:
        """What a loop that ends with this signal returns itself: BREAK and CONTINUE stop at the loop."""
        return None if self in (Signal.BREAK, Signal.CONTINUE) else self
