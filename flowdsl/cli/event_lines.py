"""A run as JSON lines: one object an event, and the result as the last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flowdsl.events import VERSION

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.events import Event


class EventLines:
    """Prints events as they come. When the reader leaves, the run goes on: its pictures may be paid already."""

    def __init__(self) -> None:
        self.broken = False

    def __call__(self, event: Event) -> None:
        """Prints one event."""
        self._print(event.to_dict())

    def result(self, result: Result, *, simulated: bool) -> None:
        """Prints the result; `cost_usd` of a simulated run is what it would have cost.

        Raises:
            BrokenPipeError: the reader left, now or earlier.
        """
        facts = {"steps": result.steps, "elapsed_s": round(result.elapsed_s, 6), "cost_usd": result.cost_usd}
        self._print(
            {
                "v": VERSION,
                "event": "Result",
                "run": result.run,
                "outputs": result.to_json(),
                **facts,
                "simulated": simulated,
            }
        )
        if self.broken:
            raise BrokenPipeError

    def _print(self, line: dict[str, Any]) -> None:
        if not self.broken:
            try:
                print(json.dumps(line, ensure_ascii=False), flush=True)
            except BrokenPipeError:
                self.broken = True
