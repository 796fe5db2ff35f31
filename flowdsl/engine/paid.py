"""What was paid for in a block that may run again: no repetition buys it a second time.

Each attempt takes what earlier ones bought, request by request in the order in which it was bought, and buys only what
is left over. So two equal requests of one attempt are two purchases, and a repetition of it makes none.
"""

from __future__ import annotations

import json
from collections import defaultdict
from types import TracebackType
from typing import Any, Protocol


class Buying(Protocol):
    """Where steps buy: a branch of a run."""

    paid: Paid | None


class Paid:
    """What a block bought, for its next attempts; within `with`, the steps of the frame take from it and add to it.

    Blocks inside blocks each have their own, and what the inner one has not, the one around it may have.
    """

    __slots__ = ("_around", "_bought", "_frame", "_left")

    def __init__(self, frame: Buying) -> None:
        self._frame = frame
        self._around = frame.paid
        self._bought: dict[str, list[Any]] = defaultdict(list)
        self._left: dict[str, list[Any]] = {}

    def __enter__(self) -> Paid:
        self._frame.paid = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frame.paid = self._around

    def again(self) -> None:
        """Another attempt begins: all that was bought so far is there to be taken, once."""
        self._left = {purchase: results[::-1] for purchase, results in self._bought.items()}

    def take(self, purchase: Any) -> Any:
        """The result of an equal purchase that an earlier attempt paid for; None when there is none left."""
        return self._take(_spelt(purchase))

    def add(self, purchase: Any, result: Any) -> None:
        """Takes note of a result that was paid for."""
        spelt = _spelt(purchase)
        paid: Paid | None = self
        while paid is not None:
            paid._bought[spelt].append(result)
            paid = paid._around

    def _take(self, spelt: str) -> Any:
        if left := self._left.get(spelt):
            return left.pop()
        result = None if self._around is None else self._around._take(spelt)
        if result is not None:
            self._bought[spelt].append(result)
        return result


def _spelt(purchase: Any) -> str:
    return json.dumps(purchase, sort_keys=True, default=repr)
