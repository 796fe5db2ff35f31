"""Block: steps that stand inside a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Block:
    """Steps that stand inside a step, ready to run: the type of the fields that hold them."""

    __slots__ = ("path", "steps")

    def __init__(self, steps: Sequence[Any], path: str) -> None:
        self.steps = steps
        self.path = path

    def __repr__(self) -> str:
        return f"Block({self.path}, {len(self.steps)} steps)"
