"""What the simulator knows while it runs: its settings, what was asked, and what is still to go wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from flowdsl.errors import UsageError
from flowdsl_steps.image.simulator.faults import Fault, FaultQueue
from flowdsl_steps.image.simulator.files import PublishedFiles
from flowdsl_steps.image.simulator.gallery import Gallery, request_digest
from flowdsl_steps.image.simulator.models import find_model, model_names
from flowdsl_steps.image.simulator.record import Ledger
from flowdsl_steps.image.simulator.uploads import Uploads
from flowdsl_steps.image.simulator.validation import AcceptedRequest

BATCH_LIMITS = (50_000, 200_000_000)
"""So many requests and bytes a file for a batch may have. Source: openai-python 3.57, `BatchCreateParams`."""
DEFAULT_KEY = "sk-simulated"


class State:
    """The simulator's settings and memory.

    `key` None accepts any key; `as_of` refuses models that are not served on that day. `deployments` adds Azure
    deployment names; every model name, and `images` for gpt-image-2, is one already. `models` are names of models that
    are drawn as others are. `payload_bytes` gives every file that size, `plain` one colour, `latency_s` is the time an
    image takes at least, and `batch_s` about what a batch takes; a file for one may have `batch_limits` requests and
    bytes. `hosts` are names beside this machine's that requests may come to and from; with a `control_token` the
    control address asks for it.
    """

    def __init__(
        self,
        *,
        key: str | None = DEFAULT_KEY,
        deployments: Mapping[str, str] | None = None,
        models: Mapping[str, str] | None = None,
        as_of: date | None = None,
        payload_bytes: int | None = None,
        plain: bool = False,
        latency_s: float = 0.0,
        batch_s: float = 0.0,
        batch_limits: tuple[int, int] = BATCH_LIMITS,
        faults: Iterable[Fault | str] = (),
        clock: Callable[[], float] = time.time,
        hosts: Iterable[str] = (),
        control_token: str | None = None,
    ) -> None:
        self.key = key
        self.hosts = frozenset(hosts)
        self.control_token = control_token
        self.as_of = as_of
        self.latency_s = latency_s
        self.batch_s = batch_s
        self.batch_limits = batch_limits
        self.clock = clock
        self.faults = FaultQueue(faults)
        self.gallery = Gallery(payload_bytes, plain=plain)
        self.files = PublishedFiles(clock)
        self.uploads = Uploads(clock, self.faults)
        self.batches: dict[str, dict[str, Any]] = {}
        self.ledger = Ledger()
        self._takes: Counter[str] = Counter()
        self.models = dict(models or {})
        self.deployments = {"images": "gpt-image-2", **{name: name for name in model_names()}, **(deployments or {})}
        for deployment, model in (deployments or {}).items():
            if find_model(model) is None:
                known = ", ".join(model_names())
                raise UsageError(f"Deployment '{deployment}': unknown model '{model}'. Known: {known}.")

    def numbered(self, request: AcceptedRequest) -> AcceptedRequest:
        """The request with its take: how often the same one was sent before."""
        key = request_digest(request)
        take = self._takes[key]
        self._takes[key] += 1
        return replace(request, take=take) if take and self.gallery.draws else request

    def reset(self) -> None:
        """Forgets recorded requests, faults, published files and which pictures were drawn already."""
        self.faults.clear()
        self._takes.clear()
        self.ledger.clear()
        self.files.clear()
        self.uploads.clear()
        for batch in self.batches.values():
            batch["_stop"] = "cancelled"  # whoever works on it
        self.batches.clear()
