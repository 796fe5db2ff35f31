"""Counts for Prometheus: requests and how long they took, what was bought and what it cost. They are of one process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from flowdsl.events import Event, RequestFinished, RequestStarted

_BOUNDS_S = (0.01, 0.1, 1.0, 5.0, 15.0, 30.0, 60.0, 180.0)
"""Pictures take seconds to minutes."""
TYPE = "text/plain; version=0.0.4; charset=utf-8"
Bought = Callable[[str, int, float | None], object]
"""Is told what was bought: the model, how many pictures, and what they cost in USD."""


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], int] = defaultdict(int)
        self._times: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS_S) + 1))
        self._seconds: dict[str, float] = defaultdict(float)
        self._images: dict[str, int] = defaultdict(int)
        self._usd: dict[str, float] = defaultdict(float)

    def request(self, path: str, status: int, elapsed_s: float) -> None:
        """A request is over."""
        self._requests[path, status] += 1
        self._seconds[path] += elapsed_s
        bucket = next((at for at, bound in enumerate(_BOUNDS_S) if elapsed_s <= bound), len(_BOUNDS_S))
        self._times[path][bucket] += 1

    def bought(self, model: str, images: int, usd: float | None) -> None:
        """A service has made pictures; what nobody knows the price of is counted without one."""
        self._images[model] += images
        self._usd[model] += usd or 0.0

    def and_in(self, state: dict[str, Any]) -> Bought:
        """What is told of the purchases of one request: they are counted, and added up in its `state` for the log."""

        def bought(model: str, images: int, usd: float | None) -> None:
            self.bought(model, images, usd)
            state["images"] = state.get("images", 0) + images
            before = state.get("cost_usd", 0.0)
            state["cost_usd"] = None if usd is None or before is None else before + usd

        return bought

    def text(self, in_flight: int) -> str:
        """The counts as Prometheus reads them, with how much is worked on now."""
        return "".join(f"{line}\n" for line in self._lines(in_flight))

    def _lines(self, in_flight: int) -> Iterator[str]:
        yield from _head("requests_total", "counter", "Requests by address and status.")
        for (path, status), count in sorted(self._requests.items()):
            yield f'flowdsl_gateway_requests_total{{path="{_quoted(path)}",status="{status}"}} {count}'
        yield from _head("request_seconds", "histogram", "How long requests took.")
        for path, counts in sorted(self._times.items()):
            label, sum_so_far = _quoted(path), 0
            for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), counts, strict=True):
                sum_so_far += count
                yield f'flowdsl_gateway_request_seconds_bucket{{path="{label}",le="{bound}"}} {sum_so_far}'
            yield f'flowdsl_gateway_request_seconds_sum{{path="{label}"}} {self._seconds[path]:.6f}'
            yield f'flowdsl_gateway_request_seconds_count{{path="{label}"}} {sum_so_far}'
        yield from _head("images_total", "counter", "Pictures that were bought, by model.")
        for model, count in sorted(self._images.items()):
            yield f'flowdsl_gateway_images_total{{model="{_quoted(model)}"}} {count}'
        yield from _head("cost_usd_total", "counter", "What they cost in USD, as far as it is known.")
        for model, usd in sorted(self._usd.items()):
            yield f'flowdsl_gateway_cost_usd_total{{model="{_quoted(model)}"}} {usd:.6f}'
        yield from _head("in_flight", "gauge", "Requests and runs that are worked on.")
        yield f"flowdsl_gateway_in_flight {in_flight}"


def purchases(bought: Bought) -> Callable[[Event], None]:
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
