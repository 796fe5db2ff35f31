"""A run as JSON lines: one object an event, and the result as the last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flowdsl.engine.result import to_json
from flowdsl.errors import RunError, ServiceError

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.events import Event

_SERVICE_FACTS = ("service", "status", "vendor_code", "retryable", "charge_possible", "attempts", "request_id")


class EventLines:
    """Prints events as they come. When the reader leaves, the run goes on: its pictures may be paid already."""

    def __init__(self) -> None:
        self.broken = False

    def __call__(self, event: Event) -> None:
        """Prints one event."""
        values = {name: _value(value) for name, value in event._asdict().items()}
        self._print({"event": type(event).__name__, **values})

    def result(self, result: Result, *, simulated: bool) -> None:
        """Prints the result; `cost_usd` of a simulated run is what it would have cost.

        Raises:
            BrokenPipeError: the reader left, now or earlier.
        """
        facts = {"steps": result.steps, "elapsed_s": _value(result.elapsed_s), "cost_usd": result.cost_usd}
        self._print({"event": "Result", "outputs": result.to_json(), **facts, "simulated": simulated})
        if self.broken:
            raise BrokenPipeError

    def _print(self, line: dict[str, Any]) -> None:
        if not self.broken:
            try:
                print(json.dumps(line, ensure_ascii=False), flush=True)
            except BrokenPipeError:
                self.broken = True


def error_json(error: RunError) -> dict[str, Any]:
    """An error as JSON values: code, message, hint and place, and for a service what it said."""
    found: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    found |= {"step": error.step, "path": error.path}
    if error.span is not None:
        line, col = error.span.first
        found |= {"file": error.span.path, "line": line, "col": col}
    if isinstance(error, ServiceError):
        found |= {name: getattr(error, name) for name in _SERVICE_FACTS}
    return found


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return error_json(value) if isinstance(value, RunError) else to_json(value)
