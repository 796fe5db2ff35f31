"""The events of runs as lines of JSON for a log: one object a line, with a time and a level."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.events import (
    Emitted,
    Event,
    FinishedImage,
    FlowFinished,
    Note,
    PartialImage,
    Progress,
    RequestFinished,
    StepFailed,
)

if TYPE_CHECKING:
    from flowdsl.batches.running import Outcome

_SAFE: Mapping[str, tuple[str, ...]] = {
    "StepStarted": (),
    "StepFinished": ("elapsed_s", "signal"),
    "StepFailed": ("elapsed_s",),
    "Progress": ("done", "total", "item"),
    "Note": ("code", "text"),
    "Emitted": ("name",),
    "RequestStarted": ("request", "service", "vendor", "model", "images", "most_usd"),
    "PartialImage": ("request", "index"),
    "FinishedImage": ("request", "usage", "quality"),
    "RequestFinished": ("request", "outcome", "elapsed_s", "attempts", "request_id", "usage", "cost_usd", "code"),
    "FlowFinished": ("status", "steps", "cost_usd", "in_doubt", "reused", "tags"),
}
"""What of each event says nothing of prompts, inputs and values of the flow."""
_PLACE = ("run", "invocation", "parent", "iteration", "step", "path", "at_s")
_OF_ERROR = ("type", "code", "message", "step", "path", "service", "status")
_OF_IMAGE = ("sha256", "width", "height", "bytes")
"""Names of files may be made of values."""


class LogLines:
    """A listener that writes each event as a line: `write` takes it, with its end. With `content` the lines have all
    that events say, prompts and values included. What cannot be written is left out, and kept in `failure`."""

    def __init__(
        self, write: Callable[[str], object], *, content: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._write = write
        self._content = content
        self._clock = clock
        self.failure: OSError | None = None

    def __call__(self, event: Event) -> None:
        """Writes an event."""
        self.line(_level(event), type(event).__name__, event.to_dict() if self._content else _without_content(event))

    def record(self, batch: str, outcome: Outcome) -> None:
        """Writes what became of a record of a batch."""
        facts: dict[str, Any] = {"run": outcome.run, "batch": batch, "record": outcome.number}
        facts |= {"status": outcome.status, "elapsed_s": round(outcome.elapsed_s, 6)}
        if outcome.result is not None:
            facts |= {"cost_usd": outcome.result.cost_usd, "images": len(outcome.result.made)}
        if outcome.error is not None:
            facts["code"] = outcome.error.code
        self.line("info" if outcome.status == "done" else "error", "RecordFinished", facts)

    def line(self, level: str, event: str, facts: Mapping[str, Any]) -> None:
        """Writes a line."""
        now = self._clock()
        when = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1_000_000):06}Z"
        said = {"time": when, "level": level, "event": event}
        said |= {name: value for name, value in facts.items() if name not in (*said, "v")}
        try:
            self._write(json.dumps(said, ensure_ascii=False, default=str) + "\n")
        except OSError as error:
            self.failure = self.failure or error


def _level(event: Event) -> str:
    if isinstance(event, (StepFailed, FlowFinished)):
        return "error" if isinstance(event, StepFailed) or event.status == "failed" else "info"
    if isinstance(event, Note) or (isinstance(event, RequestFinished) and event.outcome != "done"):
        return "warning"
    return "debug" if isinstance(event, (Progress, PartialImage, FinishedImage, Emitted)) else "info"


def _without_content(event: Event) -> dict[str, Any]:
    whole = event.to_dict()
    kept = (*_PLACE, *_SAFE[type(event).__name__])
    facts = {name: whole[name] for name in kept if whole.get(name) is not None}
    error = whole.get("error")
    if isinstance(error, Mapping):
        facts["error"] = {name: error[name] for name in _OF_ERROR if error.get(name) is not None}
    images = whole.get("images")
    if isinstance(images, list):
        facts["images"] = [{name: each[name] for name in _OF_IMAGE if name in each} for each in images]
    return facts
