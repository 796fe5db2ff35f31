"""A run as JSON lines: one object an event, and the result as the last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flowdsl.events import VERSION

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.events import Event


def print_event(event: Event) -> None:
    """Prints one event.

    Raises:
        OSError: stdout cannot be written to.
    """
    _print(event.to_dict())


def print_result(result: Result, *, simulated: bool) -> None:
    """Prints the result; `cost_usd` of a simulated run is what it would have cost.

    Raises:
        OSError: stdout cannot be written to.
    """
    facts = {"steps": result.steps, "elapsed_s": round(result.elapsed_s, 6), "cost_usd": result.cost_usd}
    names = {"v": VERSION, "event": "Result", "run": result.run, "outputs": result.to_json()}
    _print({**names, **facts, "simulated": simulated})


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)
