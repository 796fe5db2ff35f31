"""Counts for Prometheus: requests and how long they took, what was bought and what it cost. Those of all processes of a
gateway are one."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from flowdsl.events import Event, RequestFinished, RequestStarted
from flowdsl.serve.routes import OTHER
from flowdsl.serve.shared_counts import SharedCounts

_BOUNDS_S = (0.01, 0.1, 1.0, 5.0, 15.0, 30.0, 60.0, 180.0)
"""Pictures take seconds to minutes."""
SHARED_EVERY_S = 0.25
"""So late the other processes may hear of what one has counted."""
_MOST_MODELS = 500
_LONGEST_MODEL = 120
"""So many names fit into the place of a process in `SharedCounts`."""
TYPE = "text/plain; version=0.0.4; charset=utf-8"
Bought = Callable[[str, int, float | None], object]
"""Is told what was bought: the model, how many pictures, and what they cost in USD."""


class _Counts:
    """What is counted, by one process or several."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = defaultdict(int)
        self.times: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS_S) + 1))
        self.seconds: dict[str, float] = defaultdict(float)
        self.images: dict[str, int] = defaultdict(int)
        self.usd: dict[str, float] = defaultdict(float)

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON values."""
        requests = [[*key, count] for key, count in self.requests.items()]
        return {
            "requests": requests,
            **{name: getattr(self, name) for name in ("times", "seconds", "images", "usd")},
        }

    def add(self, said: dict[str, Any]) -> None:
        """Adds those of a process that says them so."""
        for path, status, count in said.get("requests", ()):
            self.requests[path, status] += count
        for path, counts in said.get("times", {}).items():
            self.times[path] = [sum(pair) for pair in zip(self.times[path], counts, strict=True)]
        for name in ("seconds", "images", "usd"):
            own = getattr(self, name)
            for key, count in said.get(name, {}).items():
                own[key] += count


class Metrics:
    """What this process counts, and what others have in the places of `shared`. `in_flight` says what is worked on
    now."""

    def __init__(self, in_flight: Callable[[], int], shared: SharedCounts | None = None) -> None:
        self._in_flight = in_flight
        self._shared = shared
        self._counts = _Counts()
        if shared is not None:
            self._counts.add(shared.own())

    def request(self, path: str, status: int, elapsed_s: float) -> None:
        """A request is over."""
        self._counts.requests[path, status] += 1
        self._counts.seconds[path] += elapsed_s
        bucket = next((at for at, bound in enumerate(_BOUNDS_S) if elapsed_s <= bound), len(_BOUNDS_S))
        self._counts.times[path][bucket] += 1

    def bought(self, model: str, images: int, usd: float | None) -> None:
        """A service has made pictures; what nobody knows the price of is counted without one. Flows may take a model
        from their inputs: those after very many are counted as one."""
        counted = self._counts.images
        if model not in counted and (len(counted) >= _MOST_MODELS or len(json.dumps(model)) > _LONGEST_MODEL):
            model = OTHER
        self._counts.images[model] += images
        self._counts.usd[model] += usd or 0.0

    def and_in(self, state: dict[str, Any]) -> Bought:
        """What is told of the purchases of one request: they are counted, and added up in its `state` for the log."""

        def bought(model: str, images: int, usd: float | None) -> None:
            self.bought(model, images, usd)
            state["images"] = state.get("images", 0) + images
            before = state.get("cost_usd", 0.0)
            state["cost_usd"] = None if usd is None or before is None else before + usd

        return bought

    def share(self) -> None:
        """Puts the counts where the other processes see them."""
        if self._shared is not None:
            self._shared.write({**self._counts.to_dict(), "in_flight": self._in_flight()})

    def text(self) -> str:
        """The counts of all processes as Prometheus reads them."""
        found, in_flight = _Counts(), self._in_flight()
        found.add(self._counts.to_dict())
        for other in () if self._shared is None else self._shared.others():
            found.add(other)
            in_flight += other.get("in_flight", 0)
        return "".join(f"{line}\n" for line in _lines(found, in_flight))


@asynccontextmanager
async def counting(shared: SharedCounts | None, in_flight: Callable[[], int]) -> AsyncIterator[Metrics]:
    """What counts as long as the block, and shares it with other processes where there are any."""
    metrics = Metrics(in_flight, shared)
    if shared is None:
        yield metrics
        return

    async def share() -> None:
        while True:
            metrics.share()
            await asyncio.sleep(SHARED_EVERY_S)

    task = asyncio.create_task(share())
    try:
        yield metrics
    finally:
        task.cancel()
        metrics.share()


def _lines(found: _Counts, in_flight: int) -> Iterator[str]:
    yield from _head("requests_total", "counter", "Requests by address and status.")
    for (path, status), count in sorted(found.requests.items()):
        yield f'flowdsl_gateway_requests_total{{path="{_quoted(path)}",status="{status}"}} {count}'
    yield from _head("request_seconds", "histogram", "How long requests took.")
    for path, counts in sorted(found.times.items()):
        label, sum_so_far = _quoted(path), 0
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), counts, strict=True):
            sum_so_far += count
            yield f'flowdsl_gateway_request_seconds_bucket{{path="{label}",le="{bound}"}} {sum_so_far}'
        yield f'flowdsl_gateway_request_seconds_sum{{path="{label}"}} {found.seconds[path]:.6f}'
        yield f'flowdsl_gateway_request_seconds_count{{path="{label}"}} {sum_so_far}'
    yield from _head("images_total", "counter", "Pictures that were bought, by model.")
    for model, count in sorted(found.images.items()):
        yield f'flowdsl_gateway_images_total{{model="{_quoted(model)}"}} {count}'
    yield from _head("cost_usd_total", "counter", "What they cost in USD, as far as it is known.")
    for model, usd in sorted(found.usd.items()):
        yield f'flowdsl_gateway_cost_usd_total{{model="{_quoted(model)}"}} {usd:.6f}'
    yield from _head("in_flight", "gauge", "Requests and runs that are worked on.")
    yield f"flowdsl_gateway_in_flight {in_flight}"


def counted(bought: Bought) -> Callable[[Event], None]:
    """What hears the events of a run, and tells what it buys: what one before it has bought is in no event."""
    models: dict[int, str] = {}

    def hear(event: Event) -> None:
        if isinstance(event, RequestStarted):
            models[event.request] = event.model or event.vendor
        elif isinstance(event, RequestFinished) and event.outcome == "done":
            bought(models[event.request], len(event.images), event.cost_usd)

    return hear


def _head(name: str, kind: str, said: str) -> Iterator[str]:
    yield f"# HELP flowdsl_gateway_{name} {said}"
    yield f"# TYPE flowdsl_gateway_{name} {kind}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
