"""What a run did with each step, by its events as `flowdsl run --events` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flowdsl.errors import UsageError


class StepState:
    """What became of the invocations of one step: how many there were, how many failed, are still open or in doubt, or
    took the result of an earlier run; their time, and what their requests cost, as far as somebody said."""

    __slots__ = ("cost_usd", "failed", "in_doubt", "open", "reused", "seconds", "times")

    def __init__(self) -> None:
        self.times = 0
        self.failed = 0
        self.open = 0
        self.in_doubt = 0
        self.reused = 0
        self.seconds = 0.0
        self.cost_usd: float | None = None

    @property
    def word(self) -> str:
        """`done`, `reused`, `failed`, `in doubt` or `running`: the gravest."""
        return "failed" if self.failed else "in doubt" if self.in_doubt else self.look

    @property
    def look(self) -> str:
        """How it is drawn: `done`, `reused`, `failed` or `running`; what is in doubt looks as what runs."""
        if self.failed:
            return "failed"
        if self.open or self.in_doubt:
            return "running"
        return "reused" if self.reused == self.times > 0 else "done"


def run_states(lines: Iterable[str], name: str) -> dict[str, StepState]:
    """The state of each step, by its place in the flow, from lines of JSON; `name` is their file.

    Raises:
        UsageError: a line is no event, or there is none.
    """
    states: dict[str, StepState] = {}
    seen = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError:
            raise UsageError(
                f"{name}:{number} is no event: a line of JSON, as `flowdsl run --events` prints it"
            ) from None
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            raise UsageError(f"{name}:{number} is no event: it has no `event`")
        seen = True
        _take(event, states)
    if not seen:
        if name == "-":
            raise UsageError("standard input holds no events: `flowdsl run FILE --events` prints them")
        raise UsageError(f"{name} holds no events: `flowdsl run FILE --events > {name}` writes them")
    return states


def _take(event: Mapping[str, Any], states: dict[str, StepState]) -> None:
    path = event.get("path")
    if not isinstance(path, str):
        return
    kind = event["event"]
    state = states.setdefault(path, StepState())
    if kind == "StepStarted":
        state.times += 1
        state.open += 1
    elif kind in ("StepFinished", "StepFailed"):
        state.open = max(state.open - 1, 0)
        state.failed += kind == "StepFailed"
        elapsed = event.get("elapsed_s")
        state.seconds += elapsed if isinstance(elapsed, (int, float)) else 0.0
    elif kind == "RequestFinished":
        cost = event.get("cost_usd")
        if isinstance(cost, (int, float)):
            state.cost_usd = (state.cost_usd or 0.0) + cost
